"""Settings: what wins, what is refused, what stays secret, and that the documents say the same."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from hanhtrinh.settings import SettingsError, load, rows
from hanhtrinh.settings.showing import masked_dsn, shown, table

ROOT = Path(__file__).parents[2]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def toml(folder, text):
    file = folder / "settings.toml"
    file.write_text(text)
    return file


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(here):
    file = toml(here, '[api]\nport = 1\nhost = "file"\n')
    loaded = load(file, environment={"HANHTRINH_API__PORT": "2"})
    api = loaded.settings.api
    assert (api.port, api.host, api.window_days) == (2, "file", 31)
    assert loaded.origins["api.port"] == "environment HANHTRINH_API__PORT"
    assert loaded.origins["api.host"] == f"file {file}"
    assert loaded.origins["api.window_days"] == "default"


def test_the_command_line_wins_over_everything_and_saying_nothing_changes_nothing(here):
    overrides = {"api.port": 3, "api.host": None}
    loaded = load(environment={"HANHTRINH_API__PORT": "2"}, overrides=overrides)
    assert loaded.settings.api.port == 3
    assert loaded.origins["api.port"] == "command line"
    assert loaded.origins["api.host"] == "default"


def test_a_file_in_the_current_folder_is_found_and_a_named_one_goes_before_it(here):
    (here / "hanhtrinh.toml").write_text("[api]\nport = 4\n")
    named = toml(here, "[api]\nport = 5\n")
    assert load(environment={}).settings.api.port == 4
    assert load(environment={"HANHTRINH_CONFIG": str(named)}).settings.api.port == 5
    assert load(named, environment={}).settings.api.port == 5


@pytest.mark.parametrize("text", ["api = [", "\x00", "[api]\nport = 1\nport = 2"])
def test_a_file_that_is_not_toml_is_refused_by_name(here, text):
    with pytest.raises(SettingsError, match=r"settings\.toml: expected a TOML file"):
        load(toml(here, text), environment={})


def test_a_file_that_is_not_there_is_refused(here):
    with pytest.raises(SettingsError, match="nowhere: expected a TOML file, there is none"):
        load(here / "nowhere", environment={})


def test_unknown_variables_are_refused_all_at_once_with_the_nearest_name(here):
    wrong = {"HANHTRINH_INGEST__BATCH_MESAGES": "1", "HANHTRINH_API": "{}", "OTHER": "1"}
    with pytest.raises(SettingsError) as refused:
        load(environment=wrong)
    first, second = str(refused.value).splitlines()
    assert first.startswith("environment variable HANHTRINH_API is no setting")
    assert second.endswith("did you mean HANHTRINH_INGEST__BATCH_MESSAGES?")


@pytest.mark.parametrize("text", ["[api]\nprot = 1\n", "prot = 1\n", "[apo]\nport = 1\n"])
def test_unknown_keys_of_the_file_are_refused_with_its_name(here, text):
    with pytest.raises(SettingsError, match=r"settings\.toml: key \w+(\.\w+)? is no setting"):
        load(toml(here, text), environment={})


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("HANHTRINH_API__PORT", "http", "api.port (environment HANHTRINH_API__PORT): "),
        ("HANHTRINH_API__PORT", "65536", "got '65536'"),
        ("HANHTRINH_BROKER__PROTOCOL", "4", "'3.1.1' or '5'"),
        ("HANHTRINH_JUDGE__TIMEZONE", "Mars", "expected a name of the tz database"),
        ("HANHTRINH_JUDGE__WEST", "120", "judge"),
        ("HANHTRINH_JUDGE__WEST", "120", "expected west < east"),
        ("HANHTRINH_INGEST__TOPICS", "{", "HANHTRINH_INGEST__TOPICS: expected a JSON object"),
        ("HANHTRINH_API__STATEMENT_TIMEOUT_S", "inf", "finite number, got 'inf'"),
        ("HANHTRINH_API__SECRET", "short", "HANHTRINH_API__SECRET): expected at least 32 letters"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_where_it_came_from(here, variable, value, says):
    with pytest.raises(SettingsError) as refused:
        load(environment={variable: value})
    assert says in str(refused.value)


def test_a_value_that_a_message_names_is_not_named_twice(here):
    with pytest.raises(SettingsError) as refused:
        load(environment={"HANHTRINH_GATEWAY__LISTENERS": "gt06 5023"})
    assert str(refused.value).count("got 'gt06 5023'") == 1


def test_a_variable_for_tests_is_no_setting_and_refused_by_none(here):
    assert load(environment={"HANHTRINH_TEST_DEEP": "1"}).settings == load(environment={}).settings


@pytest.mark.parametrize(
    ("host", "servers"),
    [
        ("broker.example", ["broker.example:1883"]),
        ("a, b:1884,10.0.0.3", ["a:1883", "b:1884", "10.0.0.3:1883"]),
        ("::1", ["[::1]:1883"]),
        ("[::1]:1884,fe80::7", ["[::1]:1884", "[fe80::7]:1883"]),
    ],
)
def test_one_broker_or_several_are_written_with_their_ports(here, host, servers):
    found = load(environment={"HANHTRINH_BROKER__HOST": host}).settings.broker.servers
    assert [str(server) for server in found] == servers


@pytest.mark.parametrize("host", ["", "a,", "a:0", "a:65536", "a:b", "[::1", "a b", "a,a:1883"])
def test_brokers_that_make_no_sense_are_refused(here, host):
    with pytest.raises(SettingsError, match=r"HANHTRINH_BROKER__HOST|broker"):
        load(environment={"HANHTRINH_BROKER__HOST": host})


def test_lists_are_written_with_commas_and_tables_as_json(here):
    settings = load(
        environment={
            "HANHTRINH_JUDGE__PROFILES": "qcvn31, mine.toml",
            "HANHTRINH_INGEST__TOPICS": '{"a/{ident}": "json"}',
        }
    ).settings
    assert settings.judge.profiles == ("qcvn31", "mine.toml")
    assert settings.ingest.topics == {"a/{ident}": "json"}


@pytest.mark.parametrize(
    ("dsn", "masked"),
    [
        ("postgresql://u:s3cret@h:5432/db", "postgresql://u:***@h:5432/db"),
        ("postgresql://u:a@b/s3cret@h/db", "postgresql://u:***@h/db"),
        (
            "postgresql://h/db?user=u&password=s3cret&x=1",
            "postgresql://h/db?user=u&password=***&x=1",
        ),
        ("host=h password=s3cret user=u", "host=h password=*** user=u"),
        (r"password='s3c \' ret' host=h", "password=*** host=h"),
        ("postgresql://localhost/hanhtrinh", "postgresql://localhost/hanhtrinh"),
    ],
)
def test_a_password_in_a_connection_string_is_masked_wherever_it_stands(dsn, masked):
    assert masked_dsn(dsn) == masked


def test_no_secret_is_ever_shown(here):
    secrets = {row.variable: "s3cret" for row in rows() if row.is_secret}
    secrets["HANHTRINH_DATABASE__DSN"] = "postgresql://u:s3cret@h/db"
    secrets["HANHTRINH_BRIDGE__AMQP_URL"] = "amqps://u:s3cret@h/"
    secrets["HANHTRINH_API__SECRET"] = "s3cret" * 6
    settings = load(environment=secrets).settings
    for row in rows():
        assert "s3cret" not in shown(row, settings)
    assert "s3cret" not in repr(settings)


SECRETS = {"password", "dsn", "amqp_url", "token", "secret", "issuer_seed", "oidc_client_secret"}


def test_whatever_is_named_like_a_secret_is_one():
    named = {row.name for row in rows() if row.path[-1] in SECRETS}
    assert named == {row.name for row in rows() if row.is_secret}


def test_every_setting_has_help_and_numbers_that_are_quantities_have_a_unit():
    for row in rows():
        assert row.about, row.name
        if row.path[-1].endswith(("_s", "_ms", "_kib", "_mib", "_days", "_messages")):
            assert row.unit, row.name


def test_a_secret_has_no_default_but_the_connection_strings():
    for row in rows():
        if row.is_secret and row.name not in {"database.dsn", "bridge.amqp_url"}:
            assert row.default is None
        elif row.is_secret:
            assert masked_dsn(row.default) == row.default
            assert not isinstance(row.default, SecretStr)


def test_the_page_of_settings_has_a_row_for_each():
    page = (ROOT / "docs" / "settings.md").read_text("utf-8")
    assert table() in page, "run: .venv/bin/python -m hanhtrinh.settings.showing"


def test_the_example_of_the_page_of_settings_can_be_used(here):
    page = (ROOT / "docs" / "settings.md").read_text("utf-8")
    example = page.split("```toml\n")[1].split("```")[0]
    settings = load(toml(here, example), environment={}).settings
    assert settings.broker.port == 8883
    assert settings.judge.profiles == ("tt09",)


def test_the_defaults_are_those_of_the_parts():
    from geofence.quality import Region
    from hanhtrinh import wiring
    from ingest.mqtt.source import MqttOptions
    from ingest.topics import DEFAULT_PATTERNS

    settings = load(environment={}).settings
    assert wiring.region(settings) == Region()
    assert settings.ingest.topics == dict(DEFAULT_PATTERNS)
    broker = settings.broker
    assert wiring.mqtt_options(settings) == MqttOptions(broker.servers, broker.client_id)
