"""What operators may set: the file, the environment over it, and every mistake told with its place."""

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, SecretStr

from orchestrator.errors import SettingsError
from orchestrator.settings import (
    Address,
    Settings,
    callback_base,
    connection_tables,
    ensure_secret_keys,
    load,
    read_connection,
)

KEY = "0123456789abcdef0123456789abcdef"


class Account(BaseModel):
    """Stands for a kind's settings."""

    model_config = ConfigDict(extra="forbid")

    kind: str
    api_key: SecretStr
    max_in_flight: int | None = None
    rate_limits: list[str] = []
    prices: dict[str, Any] = {}


Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write orchestrator.toml into a working directory of its own."""
    monkeypatch.chdir(tmp_path)

    def _write(text: str) -> Path:
        path = Path("orchestrator.toml")
        path.write_text(text)
        return path

    return _write


def refusal(config: Path | None, environ: Mapping[str, str] | None = None) -> list[str]:
    """Return the lines with which loading is refused."""
    with pytest.raises(SettingsError) as caught:
        load(config, environ or {})
    return str(caught.value).splitlines()


# --- what is given ---------------------------------------------------------------------------


def test_without_a_file_the_defaults_work_on_a_laptop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    settings = load(None, {})

    assert settings == Settings()
    assert settings.listen.public == Address("127.0.0.1", 8080)
    assert settings.limits.artifact_size == 512 * 1024 * 1024
    assert settings.data_folder == Path("data")


def test_the_file_in_the_working_directory_is_read_without_being_named(write: Write) -> None:
    write('public_url = "https://hooks.example.com/"\n[listen]\npublic = "0.0.0.0:0"')

    settings = load(None, {})

    assert settings.public_url == "https://hooks.example.com"
    assert settings.listen.public == Address("0.0.0.0", 0)


def test_a_named_file_wins_over_the_variable_and_the_variable_over_the_default(write: Write) -> None:
    write('workflows = "default"')
    Path("named.toml").write_text('workflows = "named"')
    Path("variable.toml").write_text('workflows = "variable"')
    environ = {"ORCHESTRATOR_CONFIG": "variable.toml"}

    assert load(None, environ).workflows == Path("variable")
    assert load(Path("named.toml"), environ).workflows == Path("named")


def test_the_environment_wins_over_the_file_key_by_key(write: Write) -> None:
    config = write(
        '[listen]\npublic = "0.0.0.0:80"\nadmin = "127.0.0.1:81"\n[providers.pizi]\napi_key = "file"'
    )
    environ = {
        "ORCHESTRATOR_LISTEN__PUBLIC": "127.0.0.1:90",
        "ORCHESTRATOR_ALLOW_PRIVATE_NETWORKS": "true",
        "ORCHESTRATOR_LIMITS__ARTIFACT_SIZE": "5MB",
        "ORCHESTRATOR_LIMITS__DOWNLOAD_TIME": "1m30s",
        "ORCHESTRATOR_SECRET_KEYS": f'["{KEY}"]',
        "ORCHESTRATOR_PROVIDERS__PIZI__API_KEY": "environment",
        "ORCHESTRATOR_STORE": "",
        "ORCHESTRATOR_SERVER": "http://elsewhere",
        "ORCHESTRATOR_API_KEY": "of a client",
        "PATH": "/bin",
    }

    settings = load(config, environ)

    assert str(settings.listen.public) == "127.0.0.1:90"
    assert str(settings.listen.admin) == "127.0.0.1:81"
    assert settings.allow_private_networks is True
    assert settings.limits.artifact_size == 5_000_000
    assert settings.limits.download_time == 90
    assert ensure_secret_keys(settings) == [KEY]
    assert settings.providers == {"pizi": {"api_key": "environment"}}


def test_a_variable_for_one_key_is_laid_over_one_for_the_whole_table(write: Write) -> None:
    environ = {
        "ORCHESTRATOR_PROVIDERS__PIZI__API_KEY": "x",
        "ORCHESTRATOR_PROVIDERS__PIZI": '{"api_key": "y", "plan": "free"}',
        "ORCHESTRATOR_PROVIDERS": '{"pizi": {"base_url": "http://b"}}',
    }

    settings = load(write(""), environ)

    assert settings.providers == {"pizi": {"api_key": "x", "plan": "free", "base_url": "http://b"}}


def test_a_connection_from_the_environment_reads_numbers_lists_and_prices(write: Write) -> None:
    environ = {
        "ORCHESTRATOR_PROVIDERS__PIZI__API_KEY": "123456",
        "ORCHESTRATOR_PROVIDERS__PIZI__MAX_IN_FLIGHT": "20",
        "ORCHESTRATOR_PROVIDERS__PIZI__RATE_LIMITS": '["60/1m"]',
        "ORCHESTRATOR_PROVIDERS__PIZI__PRICES__CREATE_MODEL": "1.5",
        "ORCHESTRATOR_PROVIDERS__PIZI__PRICES__CREATE_PICTURES__PER": "variants",
    }

    account = read_connection(load(write(""), environ), "pizi", Account)

    assert account.api_key.get_secret_value() == "123456"
    assert (account.max_in_flight, account.rate_limits) == (20, ["60/1m"])
    assert account.prices == {"create_model": 1.5, "create_pictures": {"per": "variants"}}


def test_the_kind_of_a_connection_is_its_name_unless_it_is_given(write: Write) -> None:
    config = write('[providers.pizi]\napi_key = "a"\n[providers.pizi_eu]\nkind = "pizi"')

    tables = connection_tables(load(config, {}))

    assert tables == {"pizi": {"kind": "pizi", "api_key": "a"}, "pizi_eu": {"kind": "pizi"}}


def test_changing_a_table_that_was_handed_out_changes_no_settings() -> None:
    settings = Settings(providers={"pizi": {"prices": {"create_model": 1}}})

    connection_tables(settings)["pizi"]["prices"].clear()

    assert settings.providers == {"pizi": {"prices": {"create_model": 1}}}


@pytest.mark.parametrize(
    ("store", "path"),
    [
        ("sqlite:///data/orchestrator.db", "data/orchestrator.db"),
        ("sqlite:////var/lib/orchestrator/main.db", "/var/lib/orchestrator/main.db"),
    ],
)
def test_the_data_folder_is_where_the_database_lies(store: str, path: str) -> None:
    settings = Settings(store=store)

    assert settings.store_path == Path(path)
    assert settings.data_folder == Path(path).parent


@pytest.mark.parametrize(
    ("text", "loopback"),
    [
        ("127.0.0.1:8080", True),
        ("localhost:0", True),
        ("[::1]:8080", True),
        ("0.0.0.0:8080", False),
        ("[::]:8080", False),
        ("orchestrator.internal:8080", False),
    ],
)
def test_an_address_keeps_its_text_and_knows_whether_others_reach_it(text: str, loopback: bool) -> None:
    address = Address.parse(text)

    assert str(address) == text
    assert address.is_loopback is loopback


@pytest.mark.parametrize("admin", ["0.0.0.0:8081", "[::]:8081", "192.168.1.7:8081", "media.example.com:8081"])
def test_the_admin_listener_stays_on_this_machine_while_nobody_has_to_show_a_key(
    write: Write, admin: str
) -> None:
    write(f'[listen]\nadmin = "{admin}"')

    with pytest.raises(SettingsError, match=r"\[listen\] admin: .*bound to loopback alone"):
        load(None, {})


def test_callbacks_need_an_address_unless_they_are_off() -> None:
    assert callback_base(Settings(public_url="https://a.example/hooks/")) == "https://a.example/hooks"
    assert callback_base(Settings(callbacks="off", public_url="https://a.example")) is None
    with pytest.raises(SettingsError, match=r"needs 'public_url'.*callbacks = \"off\""):
        callback_base(Settings())


# --- secrets ---------------------------------------------------------------------------------


def test_every_secret_may_be_given_as_a_file(write: Write) -> None:
    Path("key").write_text("from a file\n")
    Path("keys").write_text(f"{KEY}\n{KEY[::-1]}\n")
    config = write('secret_keys_file = "keys"\n[providers.pizi]\napi_key_file = "key"\n[providers.b]')

    settings = load(config, {"ORCHESTRATOR_PROVIDERS__B__API_KEY_FILE": "key"})

    assert ensure_secret_keys(settings) == [KEY, KEY[::-1]]
    assert settings.providers == {"pizi": {"api_key": "from a file"}, "b": {"api_key": "from a file"}}


def test_the_environment_wins_however_either_gives_a_secret(write: Write) -> None:
    Path("key").write_text("from a file\n")
    config = write('[providers.a]\napi_key_file = "key"\n[providers.b]\napi_key = "plain"')
    environ = {
        "ORCHESTRATOR_PROVIDERS__A__API_KEY": "environment",
        "ORCHESTRATOR_PROVIDERS__B__API_KEY_FILE": "key",
    }

    settings = load(config, environ)

    assert settings.providers == {"a": {"api_key": "environment"}, "b": {"api_key": "from a file"}}


def test_settings_show_no_secret(write: Write) -> None:
    config = write(
        f'secret_keys = ["{KEY}"]\n[providers.pizi]\napi_key = "s3cret"\nprices = {{a = "s3cret"}}'
    )

    settings = load(config, {})

    assert KEY not in f"{settings!r} {settings}"
    assert "s3cret" not in f"{settings!r} {settings}"


def test_a_refusal_shows_no_secret(write: Write) -> None:
    config = write(
        'secret_keys = ["s3cret", 4711]\nstore = "postgresql://u:s3cret@h/n"\npublic_url = "https://u:s3cret@h"\n'
        '[providers.pizi]\napi_key = ["s3cret"]\nsurplus = "s3cret"'
    )
    environ = {"ORCHESTRATOR_SECRET_KEYS": "s3cret"}

    lines = [*refusal(config), *refusal(config, environ)]
    account = Path("account.toml")
    account.write_text('[providers.pizi]\napi_key = ["s3cret"]\nsurplus = "s3cret"')
    with pytest.raises(SettingsError) as caught:
        read_connection(load(account, {}), "pizi", Account)

    assert len(lines) > 4
    assert "s3cret" not in "\n".join([*lines, str(caught.value)])
    assert "4711" not in "\n".join(lines)


def test_a_secret_key_is_made_once_and_only_for_us(tmp_path: Path) -> None:
    settings = Settings(store=f"sqlite:///{tmp_path}/data/orchestrator.db")

    keys = ensure_secret_keys(settings)

    assert ensure_secret_keys(settings) == keys
    assert len(keys) == 1
    assert len(keys[0]) == 64
    file = tmp_path / "data" / "secret_keys"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert os.listdir(tmp_path / "data") == ["secret_keys"]


def test_a_key_that_another_process_made_meanwhile_is_kept(tmp_path: Path) -> None:
    from orchestrator.settings.keys import _create_once

    file = tmp_path / "secret_keys"
    file.write_text(KEY)

    _create_once(file, "another")

    assert file.read_text() == KEY
    assert os.listdir(tmp_path) == ["secret_keys"]


def test_a_damaged_key_file_is_not_replaced(tmp_path: Path) -> None:
    settings = Settings(store=f"sqlite:///{tmp_path}/orchestrator.db")
    (tmp_path / "secret_keys").write_text("")

    with pytest.raises(SettingsError, match="restore the file from the backup"):
        ensure_secret_keys(settings)

    assert (tmp_path / "secret_keys").read_text() == ""


# --- what is refused -------------------------------------------------------------------------


def test_unknown_keys_are_refused_by_name_and_place(write: Write) -> None:
    config = write('stroe = "x"\nfoo = 1\n[listen]\npubilc = "127.0.0.1:1"\n[provider.pizi]\napi_key = "x"')

    assert refusal(config) == [
        "orchestrator.toml: [listen] unknown key 'pubilc' (did you mean 'public'?)",
        "orchestrator.toml: unknown key 'stroe' (did you mean 'store'?)",
        "orchestrator.toml: unknown key 'foo'",
        "orchestrator.toml: unknown key 'provider' (did you mean 'providers'?)",
    ]


def test_variables_that_set_nothing_are_refused(write: Write) -> None:
    environ = {
        "ORCHESTRATOR_LISTEN__PUBILC": "127.0.0.1:1",
        "ORCHESTRATOR_SERVRE": "x",
        "ORCHESTRATOR_STORE__PATH": "x",
        "ORCHESTRATOR_PROVIDERS__": "{}",
        "ORCHESTRATOR_FOO": "x",
    }

    assert refusal(write(""), environ) == [
        "environment: ORCHESTRATOR_FOO is not a setting",
        "environment: ORCHESTRATOR_SERVRE is not a setting (did you mean 'ORCHESTRATOR_SERVER'?)",
        "environment: ORCHESTRATOR_LISTEN__PUBILC is not a setting"
        " (did you mean 'ORCHESTRATOR_LISTEN__PUBLIC'?)",
        "environment: ORCHESTRATOR_PROVIDERS__ is not a setting",
        "environment: ORCHESTRATOR_STORE__PATH is not a setting (did you mean 'ORCHESTRATOR_STORE'?)",
    ]


def test_all_problems_of_all_layers_are_told_at_once(write: Write) -> None:
    config = write(
        'callbacks = "maybe"\n[limits]\ndownload_time = "ten"\nartifact_size = true\n[listen]\nadmin="x"'
    )
    environ = {"ORCHESTRATOR_ALLOW_PRIVATE_NETWORKS": "yes", "ORCHESTRATOR_LIMITS__CALLBACK_BODY_SIZE": "0"}

    lines = refusal(config, environ)

    assert [line.split(": ", 2)[:2] for line in lines] == [
        ["environment", "ORCHESTRATOR_ALLOW_PRIVATE_NETWORKS"],
        ["orchestrator.toml", "callbacks"],
        ["orchestrator.toml", "[listen] admin"],
        ["orchestrator.toml", "[limits] artifact_size"],
        ["orchestrator.toml", "[limits] download_time"],
        ["environment", "ORCHESTRATOR_LIMITS__CALLBACK_BODY_SIZE"],
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('store = "postgresql://u:p@host/name"', "PostgreSQL comes in a later release"),
        ('store = "sqlite://data/orchestrator.db"', "sqlite:///relative/path.db"),
        ('store = "sqlite:///:memory:"', "sqlite:///relative/path.db"),
        ('store = "sqlite:///data/"', "sqlite:///relative/path.db"),
        ('artifacts = "s3://bucket/prefix"', "S3 comes in a later release"),
        ('artifacts = ""', "path of a folder"),
        ('public_url = "hooks.example.com"', "such as https://hooks.example.com"),
        ('public_url = "https://h.example/?a=b"', "only scheme, host, port and path"),
        ('listen = {public = "127.0.0.1:70000"}', "an address is host:port"),
        ('listen = {public = ":8080"}', "an address is host:port"),
        ('listen = {public = "127.0.0.1:1", admin = "127.0.0.1:1"}', "must not be the same address"),
        ('listen = "127.0.0.1:8080"', "listen: this is a table"),
        ('secret_keys = ["short"]', "at least 32 characters"),
        ("limits = {download_time = 30}", "write 30s for seconds"),
        ('limits = {download_time = "0s"}', "greater than zero"),
        ('limits = {artifact_size = "1TB"}', "such as 512MiB"),
        ('allow_private_networks = "yes"', "must be true or false"),
        ('[providers]\napi_key = "x"', "[providers] api_key: this is a table"),
        ("[providers.core]", "is not 'core'"),
        ('[providers."a__b"]', "a connection's name"),
        ("[providers.Pizi]", "a connection's name"),
        ('[providers.a]\nkey = "x"\nkey_file = "y"', "give one of the two"),
        ('[providers.a]\nkey_file = "missing"', "missing: No such file"),
        ("[providers.a]\nkey_file = 1", "write the path of a file"),
        ("store = ", "not valid TOML"),
    ],
)
def test_a_wrong_value_is_refused_with_what_to_write(write: Write, text: str, said: str) -> None:
    lines = refusal(write(text))

    assert len(lines) == 1
    assert lines[0].startswith("orchestrator.toml: ")
    assert said in lines[0]


def test_a_named_file_must_exist(write: Write) -> None:
    assert refusal(Path("other.toml")) == ["other.toml: there is no such file"]
    assert refusal(None, {"ORCHESTRATOR_CONFIG": "x.toml"}) == ["x.toml: there is no such file"]


def test_an_empty_secret_file_is_refused(write: Write) -> None:
    Path("key").write_text("\n")

    lines = refusal(write('[providers.a]\nkey_file = "key"'))

    assert lines == ["orchestrator.toml: [providers.a] key_file: key: the file is empty"]


def test_problems_of_a_connection_are_told_with_their_places(write: Write) -> None:
    config = write('[providers.pizi]\napi_kye = "x"\nrate_limits = "60/1m"')
    settings = load(config, {"ORCHESTRATOR_PROVIDERS__PIZI__MAX_IN_FLIGHT": "many"})

    with pytest.raises(SettingsError) as caught:
        read_connection(settings, "pizi", Account)

    assert str(caught.value).splitlines() == [
        "orchestrator.toml: [providers.pizi] needs 'api_key'"
        " (or 'api_key_file' or ORCHESTRATOR_PROVIDERS__PIZI__API_KEY)",
        "environment: ORCHESTRATOR_PROVIDERS__PIZI__MAX_IN_FLIGHT: must be a whole number",
        "orchestrator.toml: [providers.pizi] rate_limits: must be a list",
        "orchestrator.toml: [providers.pizi] unknown key 'api_kye' (did you mean 'api_key'?)",
    ]


# --- secrets shared with others ---------------------------------------------------------------


def test_secrets_come_from_the_file_from_files_and_from_the_environment(write: Write) -> None:
    Path("partner").write_text("of a partner\n")
    config = write('[secrets]\nshop = "of the shop"\npartner_file = "partner"\nthird = "below"')

    settings = load(
        config, {"ORCHESTRATOR_SECRETS__THIRD": "from above", "ORCHESTRATOR_SECRETS__A_B": "of a and b"}
    )

    told = {name: secret.get_secret_value() for name, secret in settings.secrets.items()}
    assert told == {
        "shop": "of the shop",
        "partner": "of a partner",
        "third": "from above",
        "a_b": "of a and b",
    }
    assert "of the shop" not in f"{settings!r}"


def test_a_whole_table_of_secrets_comes_as_json() -> None:
    settings = load(None, {"ORCHESTRATOR_SECRETS": '{"shop": "of the shop"}'})

    assert settings.secrets["shop"].get_secret_value() == "of the shop"


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ('Shop = "long enough"', "a secret's name starts with a letter"),
        ('shop = "short"', "[secrets] shop: a secret has at least 8 characters"),
        ('shop_file = "missing"', "[secrets] shop_file: missing: No such file"),
        ('shop_file = "missing"\nshop = "long enough"', "'shop' is given too; give one of the two"),
    ],
)
def test_a_bad_secret_is_told_with_its_place_and_without_itself(write: Write, table: str, told: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(write(f"[secrets]\n{table}"), {})

    assert told in str(refused.value)
    assert "long enough" not in str(refused.value)
    assert "short" not in str(refused.value)


def test_secrets_that_are_no_table_are_refused() -> None:
    with pytest.raises(SettingsError, match="ORCHESTRATOR_SECRETS: a table is given as JSON"):
        load(None, {"ORCHESTRATOR_SECRETS": "shop"})
