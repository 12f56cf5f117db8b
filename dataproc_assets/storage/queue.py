"""An SQS queue: its messages, and their removal once they are kept elsewhere."""

import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dataproc_assets.config.queues import QueueConfig
from dataproc_assets.storage.s3_errors import NEXT_STEPS

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError

MOST = 10  # messages that SQS gives or deletes at a time
NO_QUEUE = "make the queue, or correct its url in crawl.queues of conf/profiles"
NO_SERVER = "no server answers there: start it, or correct AWS_ENDPOINT_URL_SQS"
STEPS = NEXT_STEPS | {
    "QueueDoesNotExist": NO_QUEUE,
    "NonExistentQueue": NO_QUEUE,
    "AccessDenied": "let these credentials receive and delete its messages (sqs:ReceiveMessage, "
    "sqs:DeleteMessage)",
    "InvalidClientTokenId": NEXT_STEPS["InvalidAccessKeyId"],
    "NoCredentialsError": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "NoRegionError": "set AWS_REGION",
    "EndpointConnectionError": NO_SERVER,
    "ConnectTimeoutError": NO_SERVER,
}


@dataclass(frozen=True)
class Message:
    """A message as it was received; `receipt` is what deletes it."""

    body: str
    receipt: str


class Queue:
    """The queue at a URL. Credentials, region and endpoint come from the usual `AWS_*` chain."""

    def __init__(self, config: QueueConfig) -> None:
        self.config = config

    def receive(self) -> list[Message]:
        """Some messages; none where the queue is empty. They stay until they are deleted.

        Raises ConnectionError, naming the URL, the cause and the next step.
        """
        with self._asking(), self._pool() as pool:
            first = self._receive(self.config.wait_seconds)
            if len(first) < MOST:
                return first
            more = pool.map(self._receive, [0] * self.config.connections)
            return [*first, *(message for found in more for message in found)]

    def delete(self, messages: list[Message]) -> None:
        """Remove messages. One that stays is received again, which changes nothing.

        Raises ConnectionError as `receive` does.
        """
        batches = [messages[start : start + MOST] for start in range(0, len(messages), MOST)]
        with self._asking(), self._pool() as pool:
            list(pool.map(self._delete, batches))

    def _receive(self, wait_seconds: int) -> list[Message]:
        answer = self._client.receive_message(
            QueueUrl=self.config.url, MaxNumberOfMessages=MOST, WaitTimeSeconds=wait_seconds
        )
        return [Message(one["Body"], one["ReceiptHandle"]) for one in answer.get("Messages", ())]

    def _delete(self, messages: list[Message]) -> None:
        entries = [
            {"Id": str(number), "ReceiptHandle": message.receipt}
            for number, message in enumerate(messages)
        ]
        self._client.delete_message_batch(QueueUrl=self.config.url, Entries=entries)

    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.config.connections, "queue")

    @cached_property
    def _client(self) -> Any:
        import boto3
        from botocore.config import Config

        named = re.match(r"https?://sqs\.([a-z0-9-]+)\.amazonaws\.com", self.config.url)
        return boto3.Session().client(  # the default session would keep the first credentials
            "sqs",
            region_name=named[1] if named else os.environ.get("AWS_REGION"),
            config=Config(
                connect_timeout=self.config.timeout_seconds,
                read_timeout=self.config.timeout_seconds + self.config.wait_seconds,
                retries={"total_max_attempts": 2, "mode": "standard"},
                max_pool_connections=self.config.connections,
            ),
        )

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Whatever keeps the queue from answering, as a ConnectionError that says what."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (BotoCoreError, ClientError) as error:
            raise ConnectionError(
                f"{self.config.url}: cannot be read: {_explain(error)}"
            ) from error


def _explain(error: "BotoCoreError | ClientError") -> str:
    """The cause in one line, and the next step where it is known."""
    answer = (getattr(error, "response", None) or {}).get("Error", {})
    code = str(answer.get("Code") or type(error).__name__).rpartition(".")[2]
    cause = f"{code} ({answer.get('Message') or error})"
    step = STEPS.get(code.removesuffix("Exception"))
    return f"{cause}; {step}" if step else cause
