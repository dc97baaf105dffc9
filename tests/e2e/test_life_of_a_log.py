"""A real broker through its log's life: key changed, sealed and followed, an old copy put back, recovered."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result
from world import World, make_world

from broker.app import Broker
from broker.cli import app
from broker.config import load_config
from broker.errors import Code, SluisError

pytestmark = pytest.mark.slow


def sluis(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def done(*words: str) -> str:
    result = sluis(*words)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def following(world: World, name: str, origin: str) -> str:
    """The configuration of a log to follow, with keys of its own."""
    document = yaml.safe_load((world.directory / "broker.yaml").read_text())
    document |= {"origin": origin, "data": f"data-{name}", "keys": f"keys-{name}", "high_water": f"mark-{name}"}
    path = world.directory / f"{name}.yaml"
    path.write_text(yaml.safe_dump(document))
    done("keys", "init", "--config", str(path))
    return str(path)


def serve_once(world: World, config: str) -> None:
    broker = Broker(load_config(Path(config)), clock=world.clock)
    broker.start()
    broker.stop(grace=1)


def exported(world: World, config: str, name: str) -> list[str]:
    """Bundle and trust file, as the operator makes them."""
    bundle, trust = (str(world.directory / f"{name}.{kind}") for kind in ("bundle", "trust"))
    done("audit", "export", "--config", config, "--out", bundle)
    done("audit", "trust", "make", "--config", config, "--out", trust)
    return [bundle, trust]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path, high_water="mark")


def test_a_log_lives_and_is_followed(world: World) -> None:
    config = str(world.directory / "broker.yaml")
    serve_once(world, config)
    old_key = done("high-water", "show", "--config", config)
    assert "sluis.example/test-2026" in old_key
    new_key = done("keys", "rotate-log-key", "--config", config).splitlines()[0]
    assert new_key != world.verifier_key
    serve_once(world, config)
    after = following(world, "next", "sluis.example/test-2027")
    said = done("seal", "--config", config, "--next-config", after)
    assert "follows     sluis.example/test-2027" in said
    assert done("seal", "--config", config, "--next-config", after), "run again, it changes nothing"
    with pytest.raises(SluisError) as caught:
        serve_once(world, config)
    assert caught.value.code is Code.LOG_SEALED
    serve_once(world, after)
    assert "nothing is left" in done("retention", "--config", config)
    assert sluis("retention", "--config", after).exit_code != 0
    old, new = exported(world, config, "old"), exported(world, after, "new")
    assert "complete to its seal" in done("audit", "verify", old[0], "--trust", old[1])
    shown = done("audit", "trust", "show", old[1])
    (until,) = [line for line in shown.splitlines() if line.endswith(world.verifier_key)]
    (since,) = [line for line in shown.splitlines() if line.endswith(new_key)]
    assert until.startswith("counts       until ")
    assert since.startswith("counts       from ")
    assert "counts " not in done("audit", "trust", "show", new[1]), "one key needs no period"
    chain = ("--previous", old[0], "--previous-trust", old[1])
    said = done("audit", "verify", new[0], "--trust", new[1], *chain)
    assert "follows      sluis.example/test-2026 (sealed)" in said
    assert "compared" in said
    archived = str(world.directory / "archived.bundle")
    done("audit", "export", "--database", str(world.directory / "data" / "sluis.db"), "--out", archived)
    assert Path(archived).read_bytes() == Path(old[0]).read_bytes()
    for one, words in ((config, "log key changed once; sealed, sluis"), (after, "follows sluis.example/test-2026")):
        told = sluis("doctor", "--config", one).output
        assert words in told
        assert "NOT log" not in told
        assert "NOT high-water" not in told


def test_an_old_copy_is_refused_and_recovered_from(world: World) -> None:
    config, data = str(world.directory / "broker.yaml"), world.directory / "data"
    serve_once(world, config)
    shutil.copytree(data, world.directory / "backup")
    done("keys", "rotate-log-key", "--config", config)
    serve_once(world, config)
    shutil.rmtree(data)
    shutil.copytree(world.directory / "backup", data)
    with pytest.raises(SluisError) as caught:
        serve_once(world, config)
    assert caught.value.code is Code.LOG_SHRUNK
    told = sluis("doctor", "--config", config)
    assert told.exit_code == 3
    assert "NOT high-water file: LOG_SHRUNK" in told.output
    after = following(world, "after", "sluis.example/test-2026-b")
    words = ["recover", "--config", config, "--next-config", after, "--reason", "the disk failed"]
    refused = CliRunner().invoke(app, words, input="n\n")
    assert refused.exit_code == 5
    assert "lost        at least entries" in refused.output
    assert not (world.directory / "data-after").exists()
    with (world.directory / "huge").open("wb") as huge:
        huge.truncate(1 << 40)
    held = sluis(*words, "--known", str(world.directory / "huge"))
    assert "is no checkpoint that the log" in str(held.exception), "read no further than a checkpoint goes"
    assert "(recovered)" in done(*words, "--yes")
    serve_once(world, after)
    bundle, trust = exported(world, after, "after")
    said = done("audit", "verify", bundle, "--trust", trust)
    assert "follows      sluis.example/test-2026 (recovered)" in said
    assert "give --previous" in said


def test_data_and_high_water_file_that_are_both_not_mounted_do_not_pass_for_a_new_log(world: World) -> None:
    """After a reboot neither volume is there: only the keys tell that this log was begun."""
    config = str(world.directory / "broker.yaml")
    serve_once(world, config)
    for name in ("data", "mark"):
        (world.directory / name).rename(world.directory / f"{name}.away")
    for _ in range(2):
        with pytest.raises(SluisError) as caught:
            serve_once(world, config)
        assert caught.value.code is Code.LOG_SHRUNK
        assert "mount its volume" in caught.value.message
    assert not (world.directory / "mark").exists()
    shutil.rmtree(world.directory / "data")
    for name in ("data", "mark"):
        (world.directory / f"{name}.away").rename(world.directory / name)
    serve_once(world, config)


def test_a_key_directory_that_cannot_be_written_stops_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_only(*_: object, **__: object) -> None:
        raise OSError(30, "EROFS")

    monkeypatch.setattr("broker.custody.key_files.write_whole", read_only)
    serve_once(world, str(world.directory / "broker.yaml"))
    assert not (world.directory / "keys" / "log-begun").exists()
