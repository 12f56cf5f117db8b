"""A server with SQS and S3 events to it for tests: moto on loopback, in a thread."""

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from dataproc_assets.config.queues import QueueConfig
from dataproc_assets.storage.queue import Queue

ACCOUNT = "123456789012"


@dataclass
class Events:
    """A bucket whose events go to a queue, made by `make_events`."""

    endpoint: str
    bucket: str
    url: str

    @property
    def s3(self) -> Any:
        return boto3.client("s3", endpoint_url=self.endpoint, region_name="us-east-1")

    @property
    def sqs(self) -> Any:
        return boto3.client("sqs", endpoint_url=self.endpoint, region_name="us-east-1")

    def config(self, **changes: Any) -> QueueConfig:
        """The queue's section of a profile."""
        return QueueConfig(**{**SETTINGS, "url": self.url, **changes})

    def queue(self, **changes: Any) -> Queue:
        return Queue(self.config(**changes))

    def put(self, key: str, data: bytes) -> str:
        """Put an object; returns its ETag."""
        return self.s3.put_object(Bucket=self.bucket, Key=key, Body=data)["ETag"].strip('"')

    def send(self, *bodies: str | dict[str, Any]) -> None:
        """Put messages into the queue."""
        for body in bodies:
            text = body if isinstance(body, str) else json.dumps(body)
            self.sqs.send_message(QueueUrl=self.url, MessageBody=text)

    def waiting(self) -> int:
        """How many messages the queue holds, once all that were received are given up."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        while True:
            answer = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)
            visible, received = (int(answer["Attributes"][name]) for name in names)
            if not received:
                return visible
            time.sleep(0.1)


SETTINGS = {
    "wait_seconds": 0,
    "timeout_seconds": 30,
    "connections": 2,
    "messages_per_file": 100,
    "messages_per_tick": 1000,
    "full_listing_every_hours": 24,
    "full_listing_after_removal_hours": 1,
    "keep_events_days": 4,
}


@contextmanager
def moto_server(port: int = 0) -> Iterator[str]:
    """The URL of a running server."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    try:
        host, found = server.get_host_and_port()
        yield f"http://{host}:{found}"
    finally:
        server.stop()


def make_events(endpoint: str, name: str, visibility_seconds: int = 60) -> Events:
    """An empty bucket and an empty queue of one name, joined.

    A message that was received and not deleted comes again after `visibility_seconds`.
    """
    made = Events(endpoint, name, f"{endpoint}/{ACCOUNT}/{name}")
    made.sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": f"{visibility_seconds}"})
    made.s3.create_bucket(Bucket=name)
    kinds = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]
    arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"
    made.s3.put_bucket_notification_configuration(
        Bucket=name,
        NotificationConfiguration={
            "QueueConfigurations": [{"Id": "all", "QueueArn": arn, "Events": kinds}]
        },
    )
    return made


def point_to(patch: pytest.MonkeyPatch, endpoint: str) -> None:
    """Set the `AWS_*` variables to a server."""
    for name in ("AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        patch.delenv(name, raising=False)
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_SQS"):
        patch.setenv(name, endpoint)
    patch.setenv("AWS_ACCESS_KEY_ID", "testkey")
    patch.setenv("AWS_SECRET_ACCESS_KEY", "testsecret")
    patch.setenv("AWS_REGION", "us-east-1")
    patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
