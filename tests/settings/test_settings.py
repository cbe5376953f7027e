import stat
from pathlib import Path

import pytest

from cds_service.errors import ConfigurationError
from cds_service.settings import Settings, Site
from cds_service.settings.site import site_from_file

KEY = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


def refused(**environment: str) -> str:
    with pytest.raises(ConfigurationError) as refusal:
        Settings.from_environment({"CDS_SECRET_KEY": KEY, **environment})
    return str(refusal.value)


def test_defaults_need_only_the_secret() -> None:
    settings = Settings.from_environment({"CDS_SECRET_KEY": KEY})

    assert settings.http_bind == ("127.0.0.1", 8080)
    assert settings.public_url == "http://127.0.0.1:8080"
    assert settings.client_auth == "required"
    assert settings.site == Site()
    assert settings.var_dir == Path("var")


def test_everything_wrong_is_named_at_once_with_its_remedy() -> None:
    said = refused(CDS_WORKERS="many", CDS_CLIENT_AUTH="maybe", CDS_SECRET_KEY="short")

    assert "CDS_WORKERS: give a number from 1 to 64" in said
    assert "CDS_CLIENT_AUTH: choose required or off" in said
    assert "CDS_SECRET_KEY: shorter than 32 characters; set it to the output of `openssl rand -hex 32`" in said


REFUSED = [
    pytest.param({"CDS_HTTP_BIND": "8080"}, "CDS_HTTP_BIND: give host:port", id="bind-without-host"),
    pytest.param({"CDS_HTTP_BIND": "127.0.0.1:99999"}, "CDS_HTTP_BIND", id="bind-port-too-high"),
    pytest.param({"CDS_DATABASE_URL": "mysql://x"}, "CDS_DATABASE_URL: give sqlite", id="other-database"),
    pytest.param({"CDS_PUBLIC_URL": "cds.example.org"}, "CDS_PUBLIC_URL: give a whole", id="address-without-scheme"),
    pytest.param({"CDS_PUBLIC_URL": "https://a:b@c.example"}, "CDS_PUBLIC_URL", id="address-with-password"),
    pytest.param({"CDS_PUBLIC_URL": "http://cds.example.org"}, "http is for loopback only", id="address-not-encrypted"),
    pytest.param({"CDS_PUBLIC_URL": "https://c.example?q"}, "scheme, host and path only", id="address-with-query"),
    pytest.param({"CDS_PUBLIC_URL": "https://["}, "CDS_PUBLIC_URL", id="address-broken"),
    pytest.param({"CDS_CORS_ORIGINS": "*"}, "CDS_CORS_ORIGINS: * would let any page call", id="any-origin"),
    pytest.param({"CDS_CORS_ORIGINS": "https://a.example/x"}, "scheme and host only", id="origin-with-path"),
    pytest.param({"CDS_FHIR_VALIDATION": "lax"}, "CDS_FHIR_VALIDATION: choose fast or strict", id="validation"),
    pytest.param({"CDS_WORKERS": "2"}, "CDS_WORKERS: SQLite takes one process's writes", id="workers-on-sqlite"),
    pytest.param({"CDS_SITE_FILE": "nowhere.toml"}, "CDS_SITE_FILE: nowhere.toml: cannot be read", id="no-site-file"),
    pytest.param(
        {"CDS_SECRET_KEY_PREVIOUS": "0" * 64}, "CDS_SECRET_KEY_PREVIOUS: looks", id="previous-secret-of-zeros"
    ),
    pytest.param({"CDS_RETENTION_DAYS": "-1"}, "0 to keep everything", id="negative-retention"),
    pytest.param({"CDS_SECRET_KEY": "0" * 64}, "looks like a placeholder", id="secret-of-zeros"),
    pytest.param({"CDS_SECRET_KEY": "please-ChangeMe-before-production!"}, "placeholder", id="secret-from-an-example"),
    pytest.param(
        {"CDS_HTTP_BIND": "0.0.0.0:80", "CDS_CLIENT_AUTH": "off", "CDS_PUBLIC_URL": "https://c.example"},
        "CDS_CLIENT_AUTH: off is for loopback only",
        id="no-authentication-on-the-network",
    ),
    pytest.param({"CDS_HTTP_BIND": "0.0.0.0:80"}, "CDS_PUBLIC_URL: name the https address", id="no-public-address"),
]


@pytest.mark.parametrize(("environment", "sentence"), REFUSED)
def test_a_setting_that_will_not_do_stops_the_start(environment: dict[str, str], sentence: str) -> None:
    assert sentence in refused(**environment)


def test_lists_and_switches_are_read() -> None:
    environment = {
        "CDS_SECRET_KEY": KEY,
        "CDS_HTTP_BIND": "[::1]:9000",
        "CDS_CORS_ORIGINS": "https://A.example, http://localhost:3000",
        "CDS_DATABASE_URL": "postgresql://cds@db/cds",
        "CDS_WORKERS": "4",
    }

    settings = Settings.from_environment(environment)

    assert settings.public_url == "http://[::1]:9000"
    assert settings.cors_origins == ("https://a.example", "http://localhost:3000")
    assert settings.workers == 4


def test_the_secret_is_in_no_text_of_the_settings() -> None:
    settings = Settings.from_environment({"CDS_SECRET_KEY": KEY, "CDS_DATABASE_URL": "postgresql://u:pw@db/cds"})

    assert KEY not in f"{settings!r} {settings}"
    assert "pw" not in repr(settings)


def test_a_demonstration_makes_its_own_secret_once(tmp_path: Path) -> None:
    environment = {"CDS_CLIENT_AUTH": "off", "CDS_DATABASE_URL": f"sqlite:///{tmp_path}/var/cds.db"}

    first = Settings.from_environment(environment)
    again = Settings.from_environment(environment)

    file = tmp_path / "var" / "secret.key"
    assert first.secret_key == again.secret_key == file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]


def test_a_secret_others_may_read_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_text(KEY)
    (tmp_path / "secret.key").chmod(0o644)

    said = refused(CDS_SECRET_KEY="", CDS_CLIENT_AUTH="off", CDS_DATABASE_URL=f"sqlite:///{tmp_path}/cds.db")

    assert "others may read it; run chmod 600" in said


def test_a_secret_missing_beside_its_database_is_not_made_again(tmp_path: Path) -> None:
    (tmp_path / "cds.db").touch()

    said = refused(CDS_SECRET_KEY="", CDS_CLIENT_AUTH="off", CDS_DATABASE_URL=f"sqlite:///{tmp_path}/cds.db")

    assert "missing beside a database it protects" in said


def test_with_authentication_the_secret_is_never_made() -> None:
    assert "CDS_SECRET_KEY: not set" in refused(CDS_SECRET_KEY="")


SITE = """
version = "ward-7"
zone = "Europe/Madrid"
[reading]
default_max_age_min = 600
max_age_min = { EMER = 180, IMP = 480 }
[assessment]
moderate = 0.05
high = 0.2
news2_spread_min = 30
"""


def test_a_site_file_sets_the_policies_and_their_hash(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text(SITE)

    site = site_from_file(path)

    assert site.reading.age_limit("heart_rate", "EMER").total_seconds() == 180 * 60
    assert site.reading.age_limit("heart_rate", None).total_seconds() == 600 * 60
    assert (site.assessment.high, site.zone) == (0.2, "Europe/Madrid")
    assert site.hash != Site().hash
    assert len(site.hash) == 64


def test_the_hash_is_of_the_numbers_not_of_their_spelling(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(SITE)
    (tmp_path / "b.toml").write_text("# a remark\n" + SITE.replace("0.2", "0.20"))

    assert site_from_file(tmp_path / "a.toml").hash == site_from_file(tmp_path / "b.toml").hash


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("bands = 3", "bands: unknown; known are assessment, feedback, feeds, hl7, reading, version, zone"),
        ("[reading]\nmax_age = 3", "reading.max_age: unknown"),
        ("[reading]\nfuture_tolerance_min = -1", "reading.future_tolerance_min: must be a whole number of minutes"),
        ("[reading]\nmax_age_min = 4", "reading.max_age_min: must be a table"),
        ("[assessment]\nhigh = 1.5", "assessment.high: must be a number between 0 and 1"),
        ("[assessment]\nhigh = 0.01", "assessment: moderate must be under high"),
        ("[feedback]\nburst_labels = 0", "feedback.burst_labels: must be a whole number over 0"),
        ('zone = "Mars/Olympus"', "zone: must be a zone"),
        ("version = 3", "version: must be a text"),
        ("reading = 3", "reading: must be a table"),
        ("=", "not TOML"),
    ],
)
def test_a_site_file_that_will_not_do_is_refused_by_key(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "site.toml"
    path.write_text(text)

    with pytest.raises(ConfigurationError, match=sentence.replace("(", "\\(")):
        site_from_file(path)
