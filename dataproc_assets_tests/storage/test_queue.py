import pytest

from dataproc_assets_tests.sqs import make_events, moto_server, point_to

TEST_EVENT = 1  # what S3 sends first


def bodies(messages):
    return sorted(message.body for message in messages)


def test_messages_stay_until_they_are_deleted(moto, monkeypatch):
    point_to(monkeypatch, moto)
    events = make_events(moto, "crawls-short", visibility_seconds=1)
    queue = events.queue()
    events.send("one")
    first = queue.receive()
    assert len(first) == 1 + TEST_EVENT
    assert events.waiting() == len(first)  # given up
    again = queue.receive()
    assert bodies(again) == bodies(first)
    queue.delete(again)
    assert events.waiting() == 0 and queue.receive() == []


@pytest.mark.parametrize("connections", [1, 3])
def test_more_than_one_answers_messages_are_received_and_deleted_at_once(events, connections):
    queue = events.queue(connections=connections)
    events.send(*(f"{number}" for number in range(25)))
    received = []
    while found := queue.receive():
        received += found
    assert len(set(bodies(received))) == 25 + TEST_EVENT
    queue.delete(received)
    assert events.waiting() == 0


def test_a_queue_that_is_not_there_says_so(events):
    queue = events.queue(url=f"{events.url}-gone")
    with pytest.raises(ConnectionError) as raised:
        queue.receive()
    message = str(raised.value)
    assert message.startswith(f"{events.url}-gone: cannot be read: ")
    assert message.endswith("; make the queue, or correct its url in crawl.queues of conf/profiles")


def test_a_server_that_is_away_says_so_and_is_used_once_it_is_back(monkeypatch):
    with moto_server() as url:
        point_to(monkeypatch, url)
        events = make_events(url, "crawls-away")
        queue = events.queue()
        assert len(queue.receive()) == TEST_EVENT
    with pytest.raises(ConnectionError) as raised:
        queue.receive()
    assert str(raised.value).startswith(f"{events.url}: cannot be read: EndpointConnectionError")
    assert str(raised.value).endswith("start it, or correct AWS_ENDPOINT_URL_SQS")
    with moto_server(port=int(url.rpartition(":")[2])):
        events.send("one")
        assert "one" in bodies(queue.receive())


def test_credentials_that_are_missing_are_asked_for(events, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(ConnectionError, match="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
        events.queue().receive()
