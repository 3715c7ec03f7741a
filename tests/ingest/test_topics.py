import pytest

from ingest.errors import Unusable
from ingest.topics import DEFAULT_PATTERNS, Address, TopicRouter, subscriptions


@pytest.mark.parametrize(
    ("topic", "codec", "ident"),
    [
        ("gsht/v1/json/352093081429150", "json", "352093081429150"),
        ("gsht/v1/ufms/tracking.atg", "ufms", "tracking.atg"),
        ("weigh/v1/json/QL5-KM78", "weigh-json", "QL5-KM78"),
        ("weigh/v1/csv/QL5-KM78", "weigh-csv", "QL5-KM78"),
        ("owntracks/lan/phone", "owntracks", "lan/phone"),
        ("352093081429150/data", "teltonika-json", "352093081429150"),
    ],
)
def test_a_topic_names_its_codec_and_its_device(topic, codec, ident):
    assert TopicRouter().address(topic) == Address(codec, ident)


@pytest.mark.parametrize(
    "topic",
    ["", "gsht", "gsht/v1/json", "gsht/v1/json/a/b", "gsht/v2/json/a", "data", "a/b/data", "//"],
)
def test_any_other_topic_is_unknown(topic):
    assert TopicRouter().address(topic) is Unusable.UNKNOWN_TOPIC


@pytest.mark.parametrize("pattern", ["a/+/{ident}", "a//{ident}", "a/{plate}", "{codec}/x", "a/#"])
def test_a_pattern_that_cannot_work_is_refused(pattern):
    with pytest.raises(ValueError, match="topic pattern"):
        TopicRouter({pattern: "json"})


def test_a_pattern_without_a_codec_is_refused():
    with pytest.raises(ValueError, match="a codec"):
        TopicRouter({"fleet/{ident}": ""})


def test_every_default_pattern_is_subscribed_to():
    expected = ("gsht/v1/+/+", "weigh/v1/+/+", "owntracks/+/+", "+/data")
    assert subscriptions(DEFAULT_PATTERNS) == expected
