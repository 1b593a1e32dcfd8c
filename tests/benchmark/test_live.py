"""`dss bench --live`: times of calls, late blocks, and a busy other core."""

from __future__ import annotations

import json
import time

import pytest

from dss_cli.__main__ import main
from dss_cli.benchmark.live import busy_core, live_row, live_table, markdown_live, measure_live
from dss_cli.live import LiveSeparator
from dss_cli.live.reserve import MOST_SECONDS
from dss_cli.live.session import BLOCK_SECONDS
from tests.helpers import tiny
from tests.helpers.live import LATENCY, Sharing


def test_a_row_tells_calls_budget_and_what_was_late():
    row = live_row(LiveSeparator(Sharing(), 48_000, latency=LATENCY), 1.0)
    calls = row["call_ms"]
    assert 0 < calls["p50"] <= calls["p95"] <= calls["p99"] <= calls["max"]
    delays = row["delay_ms"]
    assert 0 < delays["p50"] <= delays["p95"] <= delays["p99"] <= delays["max"] >= calls["max"]
    assert row["end_to_end"] == pytest.approx(row["latency"] + row["queue_ms"] / 1000 + BLOCK_SECONDS)
    assert row["latency"] > LATENCY
    assert row["budget_ms"] == pytest.approx(24.0)
    assert 0 < row["load"] < 20
    assert row["joules"] == {}


def test_chunks_that_take_longer_than_they_last_are_late():
    class Slow(Sharing):
        turns = 0

        def separate(self, mixture):
            self.turns += 1
            time.sleep(0.1 if self.turns > 10 else 0.0)  # quick while the queue is planned
            return super().separate(mixture)

    row = live_row(LiveSeparator(Slow(), 48_000, latency=LATENCY), 0.5)
    assert row["late"] > 0 and row["late_per_hour"] == pytest.approx(row["late"] * 7200)
    assert row["load"] > 1
    assert row["queue_ms"] == pytest.approx(1000 * MOST_SECONDS), "it grows with each gap"


def test_a_model_is_measured_by_the_command_on_each_core(tmp_path, capsys):
    model = tiny.write(tmp_path)
    assert (
        main(["bench", "--live", "--model", str(model), "--delegate", "cpu", "--duration", "1", "--json"])
        == 0
    )
    output = json.loads(capsys.readouterr().out)
    (result,) = output["live"]
    assert [row["other_core"] for row in result["rows"]] == [0.0, 0.5, 0.9]
    assert markdown_live(output).count("\n| cpu |") == 3
    assert {row["delegate"] for row in result["rows"]} == {"cpu"}
    head, *lines = live_table(result)
    assert all(len(cells) == len(head) for cells in lines)


def test_options_of_files_do_not_go_with_a_live_signal(tmp_path, capsys):
    assert main(["bench", "--live", "--profile"]) == 2
    assert "--live allows only" in capsys.readouterr().err


def test_the_command_measures_the_latency_and_the_loads_that_it_is_given(tmp_path, capsys):
    model = str(tiny.write(tmp_path))
    live = ["bench", "--live", "--model", model, "--delegate", "cpu", "--duration", "1", "--json"]
    assert main([*live, "--latency", "0.5", "--busy", "0,25"]) == 0
    (result,) = json.loads(capsys.readouterr().out)["live"]
    assert [row["other_core"] for row in result["rows"]] == [0.0, 0.25]
    assert all(0 < row["latency"] <= 0.5 for row in result["rows"])
    assert main([*live, "--latency", "0.01"]) == 2
    assert "latency 0.01: the model offers only 0.112 s" in capsys.readouterr().err
    assert main([*live, "--busy", "100"]) == 2
    assert "--busy 100: whole numbers from 0 to 99" in capsys.readouterr().err
    assert main(["bench", "--busy", "50"]) == 2
    assert "--latency and --busy require --live" in capsys.readouterr().err


def test_another_core_is_kept_busy_only_meanwhile():
    with busy_core(0.5):
        time.sleep(0.1)
    with busy_core(0.0):
        pass


def test_a_model_without_short_latencies_is_measured_at_its_own(tmp_path):
    model = tiny.write(tmp_path)
    result = measure_live(str(model), ["cpu"], 0.2, loads=(0.0,))
    assert len(result["rows"]) == 1
    assert result["rows"][0]["latency"] == pytest.approx(0.112, abs=0.01)
