"""Whose message a delivery is, by everything that it says."""

import pytest

from devices.formats.ufms.schema import BaseMessage
from devices.formats.ufms.sender import claimed_provider
from ingest.bridge.identity import Aside, Claims, Identifier
from ingest.bridge.options import FeedOptions

OWN = FeedOptions(url="", providers=("atg", "ctchaulong"), aliases={"CT-CL": "ctchaulong"})
SHARED = FeedOptions(
    url="", providers=("atg", "ctchaulong"), queue="ufms.all",
    routing_keys=("track1", "tracking.{provider}"),
)  # fmt: skip


def identify(options, queue, exchange="", key="track1", user=None, body=None):
    return Identifier(options).identify(Claims(queue, exchange, key, user, body))


@pytest.mark.parametrize(
    "claims",
    [
        {"queue": "hanhtrinh.atg"},
        {"queue": "hanhtrinh.atg", "exchange": "tracking.atg", "user": "atg", "body": "atg"},
        {"queue": "hanhtrinh.atg", "exchange": "tracking.ATG", "user": "Atg"},
        {"queue": "hanhtrinh.atg", "exchange": "amq.topic"},
    ],
)
def test_claims_that_agree_name_the_provider_as_it_is_configured(claims):
    assert identify(OWN, **claims).provider == "atg"


@pytest.mark.parametrize(
    ("claims", "what"),
    [
        ({"exchange": "tracking.ctchaulong"}, "exchange 'ctchaulong'"),
        ({"user": "ctchaulong"}, "user 'ctchaulong'"),
        ({"exchange": "tracking.atg", "body": "ctchaulong"}, "body 'ctchaulong'"),
        ({"user": "intruder"}, "user 'intruder'"),
    ],
)
def test_a_claim_that_contradicts_sets_the_message_aside_and_is_named(claims, what):
    verdict = identify(OWN, "hanhtrinh.atg", **claims)
    assert verdict.aside is Aside.IDENTITY_MISMATCH
    assert "queue 'atg'" in verdict.detail
    assert what in verdict.detail
    assert not verdict.provider


def test_another_name_of_a_provider_is_no_contradiction():
    assert identify(OWN, "hanhtrinh.ctchaulong", body="ct-cl").provider == "ctchaulong"
    assert identify(OWN, "hanhtrinh.atg", body="ct-cl").aside is Aside.IDENTITY_MISMATCH


@pytest.mark.parametrize(
    "claims",
    [{"exchange": "tracking.atg"}, {"key": "tracking.atg"}, {"user": "atg"}],
)
def test_in_a_shared_queue_exchange_key_or_user_name_the_provider(claims):
    assert identify(SHARED, "ufms.all", **claims).provider == "atg"


def test_a_body_alone_proves_nothing():
    verdict = identify(SHARED, "ufms.all", "ufms.all", body="atg")
    assert verdict.aside is Aside.NO_PROVIDER


def test_a_provider_that_is_not_configured_is_unknown():
    verdict = identify(SHARED, "ufms.all", "tracking.stranger")
    assert verdict.aside is Aside.UNKNOWN_PROVIDER
    assert "stranger" in verdict.detail


@pytest.mark.parametrize(
    ("body", "claimed"),
    [
        (BaseMessage(msgType=100, providerId=b"atg").SerializeToString(), "atg"),
        (BaseMessage(msgType=100).SerializeToString(), None),
        (BaseMessage(msgType=100, providerId=b"\xff").SerializeToString(), "\ufffd"),
        (b"\xff\xff", None),
        (b"", None),
    ],
)  # fmt: skip
def test_the_provider_inside_a_body_is_read_if_there_is_one(body, claimed):
    assert claimed_provider(body) == claimed
