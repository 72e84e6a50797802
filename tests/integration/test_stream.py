"""A stream's messages: answered once, in the log once, whoever is killed; what cannot be taken is told, with the reason."""

import asyncio
import json
import random
import subprocess
import sys
import time

import httpx
import nats
import pytest
from nats.js.api import AckPolicy, ConsumerConfig, StreamConfig

from configs.settings import PROJECT, prediction_log
from tasks.deploying.platforms.ports import free_port
from tasks.log.read import open_log
from tests.integration.broker import Broker, StreamServer, quiet

RECORD = {"a": 1.0, "b": 0.5, "c": "red"}
KILLS = 10
SECONDS = 12
RATE = 300  # messages a second


@pytest.fixture
def broker(tmp_path):
    found = Broker(tmp_path / "jetstream")
    asyncio.run(with_streams(found, nothing))
    yield found
    found.kill()


async def nothing(_):
    pass


async def with_streams(broker, do):
    """Do it with JetStream, where the streams are."""
    client = await nats.connect(broker.url, error_cb=quiet)
    stream = client.jetstream()
    await stream.add_stream(StreamConfig(name="ASKED", subjects=["asked.*"]))
    await stream.add_stream(StreamConfig(name="ANSWERED", subjects=["answered", "dead"]))
    try:
        return await do(stream)
    finally:
        await client.close()


def asked(**more):
    return json.dumps({"records": [RECORD], **more}).encode()


async def all_of(stream, subject):
    """Headers and bodies of what lies in the stream of answers, by subject."""
    unasked = ConsumerConfig(ack_policy=AckPolicy.NONE)
    found, messages = [], await stream.pull_subscribe(subject, stream="ANSWERED", config=unasked)
    try:
        while True:
            found += [(each.headers, each.data) for each in await messages.fetch(1000, 0.5)]
    except TimeoutError:
        return found


def logged(kind):
    with open_log("small") as log:
        return sorted(name for (name,) in log.execute(f"select prediction_id from log where kind = '{kind}'").fetchall())


async def until(condition, what):
    deadline = time.monotonic() + 60
    while not await condition():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.05)


def test_messages_are_answered_and_what_cannot_be_taken_is_told(broker, bundle_folder, home):
    port = free_port()
    words = ("--nats", broker.url, "--answers", "answered", "--dead", "dead", "--metrics-port", str(port))
    server = StreamServer(bundle_folder, prediction_log("small"), *words)

    async def talk(stream):
        await stream.publish("asked.a", asked(), headers={"Nats-Msg-Id": "mine"})
        await stream.publish("asked.a", asked(prediction_ids=["named"]))
        await stream.publish("asked.b", json.dumps({"records": [{"a": "x"}]}).encode())
        await stream.publish("asked.b", b'{"labels": [{"prediction_id": "mine", "label": "yes"}]}')

        async def done():
            return (await stream.stream_info("ANSWERED")).state.messages == 4

        await until(done, "four messages, four fates")
        return await all_of(stream, "answered"), await all_of(stream, "dead")

    try:
        answers, ((why, body),) = asyncio.run(with_streams(broker, talk))
        assert [headers["Nats-Msg-Id"] for headers, _ in answers] == ["mine", "ASKED-2", "ASKED-4"]
        assert json.loads(answers[1][1])["predictions"][0]["prediction_id"] == "named"
        assert json.loads(answers[2][1]) == {"accepted": 1}
        assert (why["Slipway-Status"], json.loads(body)) == ("422", {"records": [{"a": "x"}]})
        assert "column 'a'" in why["Slipway-Problem"]
        metrics = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        assert 'slipway_stream_messages_total{fate="taken"} 3.0' in metrics
        assert "slipway_stream_waiting 0.0" in metrics
    finally:
        assert server.end() == 0
    assert (logged("prediction"), logged("feedback")) == (["mine", "named"], ["mine"])


def test_while_the_log_cannot_be_written_messages_wait(broker, bundle_folder, home):
    """A segment of one byte is full at once, and the folder of the next one is gone."""
    log = prediction_log("small")
    server = StreamServer(bundle_folder, log, "--nats", broker.url, "--answers", "answered", "--dead", "dead")

    async def talk(stream):
        await stream.publish("asked.a", asked(), headers={"Nats-Msg-Id": "one"})

        async def answered():
            return (await stream.stream_info("ANSWERED")).state.messages == 1

        await until(answered, "the first answer")
        server.process.send_signal(19)  # so that nothing is written while its folder goes
        log.rename(log.with_name("elsewhere"))
        log.touch()
        (log.with_name("elsewhere") / "rotate").touch()
        server.kill()
        server.start()
        assert server.process.wait(20) == 2
        log.unlink()
        log.with_name("elsewhere").rename(log)
        await stream.publish("asked.a", asked(), headers={"Nats-Msg-Id": "two"})
        server.start()

        async def both():
            return (await stream.stream_info("ANSWERED")).state.messages == 2

        await until(both, "what waited is answered")
        assert await all_of(stream, "dead") == []

    try:
        asyncio.run(with_streams(broker, talk))
    finally:
        server.end()
    assert "cannot be written" in server.output.read_text()


def test_server_and_broker_are_killed_and_nothing_is_lost_or_counted_twice(broker, bundle_folder, home):
    server = StreamServer(bundle_folder, prediction_log("small"), "--nats", broker.url, "--answers", "answered")
    sent = asyncio.run(under_fire(broker, server, KILLS, SECONDS, RATE))

    async def answers(stream):
        async def done():
            return (await stream.stream_info("ANSWERED")).state.messages >= len(sent)

        await until(done, "every message is answered")
        return [headers["Nats-Msg-Id"] for headers, _ in await all_of(stream, "answered")]

    try:
        answered = asyncio.run(with_streams(broker, answers))
    finally:
        server.end()
    written = logged("prediction")
    print(f"{len(sent):,} messages, {KILLS} kills; {len(written) - len(set(written)):,} are in the log twice")
    assert len(sent) > SECONDS * RATE / 3
    assert set(written) == set(sent), "lost 0"
    assert sorted(answered) == sorted(sent), "each has one answer"


async def under_fire(broker, server, kills, seconds, rate):
    """Publish at the rate, and kill one of the two at random so many times; the ids that the broker has confirmed."""
    sent, over = [], asyncio.Event()
    client = await nats.connect(broker.url, error_cb=quiet, max_reconnect_attempts=-1, reconnect_time_wait=0.1)
    stream = client.jetstream(timeout=1)

    async def publish(name):
        while True:  # with the same id, so the broker keeps one
            try:
                await stream.publish("asked.a", asked(), headers={"Nats-Msg-Id": name})
                return sent.append(name)
            except (nats.errors.Error, TimeoutError, OSError):
                await asyncio.sleep(0.1)

    async def fire():
        chance = random.Random(1)
        for _ in range(kills):
            await asyncio.sleep(seconds / kills * chance.uniform(0.5, 1.5))
            one = chance.choice((broker, server))
            await asyncio.to_thread(one.kill)
            await asyncio.to_thread(one.start)
        over.set()

    firing, tasks, number = asyncio.ensure_future(fire()), [], 0
    while not over.is_set():
        tasks.append(asyncio.ensure_future(publish(f"m{number}")))
        number += 1
        await asyncio.sleep(1 / rate)
    await asyncio.gather(firing, *tasks)
    await client.close()
    return sent


def test_what_would_answer_its_own_answers_does_not_begin(broker, bundle_folder, home):
    server = StreamServer(bundle_folder, prediction_log("small"), "--nats", broker.url, "--answers", "asked.answered")
    assert server.process.wait(30) == 2
    assert "subject 'asked.answered' is of 'ASKED' itself" in server.output.read_text()
    server = StreamServer(bundle_folder, prediction_log("small"), "--nats", broker.url, "--dead", "nowhere")
    assert server.process.wait(30) == 2
    assert "no stream keeps subject 'nowhere'; make one first" in server.output.read_text()


def test_a_consumer_of_other_messages_is_told(broker, bundle_folder, home):
    async def other(stream):
        await stream.pull_subscribe("asked.a", "small", "ASKED")

    asyncio.run(with_streams(broker, other))
    with_password = broker.url.replace("nats://", "nats://me:secret@")
    server = StreamServer(bundle_folder, prediction_log("small"), "--nats", with_password)
    assert server.process.wait(30) == 2
    assert "consumer 'small' of 'ASKED' takes 'asked.a', not '>'" in server.output.read_text()
    assert "secret" not in server.output.read_text()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("-js",), "has no stream 'ASKED'; make it first"),
        (("--name", "plain"), "has no JetStream; start it with '-js'"),
        ((), "no NATS server answers at nats://127.0.0.1:9"),
    ],
)
def test_a_broker_that_cannot_be_used_is_one_line(tmp_path, bundle_folder, words, told):
    broker = Broker(tmp_path / "jetstream", *words) if words else None
    try:
        url = broker.url if broker else "nats://127.0.0.1:9"
        command = [sys.executable, "-m", "serving.stream", "--nats", url, "--stream", "ASKED", "--consumer", "c"]
        environment = {"SLIPWAY_BUNDLE": str(bundle_folder), "SLIPWAY_LOG": str(tmp_path / "log"), "SLIPWAY_LOG_PEPPER": "p"}
        done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    finally:
        if broker:
            broker.kill()
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
