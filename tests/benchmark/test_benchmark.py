"""Rows of `dss bench`, their order, and the calculation of figures, without real timing."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given
from hypothesis import strategies as st

from dss_cli.benchmark import library, recording, sheet
from dss_cli.benchmark.measurement import Opening, Run, peak_memory
from dss_cli.benchmark.results import NO_ESTIMATE, NO_METER, results
from dss_cli.benchmark.rows import BenchmarkRow, plan_rows
from dss_cli.benchmark.session import Entry, Measurements, run_session
from dss_cli.benchmark.statistics import percentiles, ratio, spread
from dss_cli.benchmark.subject import Proof, Refused
from dss_cli.benchmark.tables import lines, markdown_results, notes
from dss_cli.benchmark.worker import Died
from dss_cli.energy import Energy, Meter, MeterError
from dss_cli.errors import DssError
from tests.helpers.schemas import valid
from tests.helpers.stub import files
from tools import benchmark_document

MACHINE = dict.fromkeys(("system", "release", "architecture", "processor", "python", "litert", "dss"), "x")
MACHINE |= {"processors": 2, "load_average": 0.0}
TINY = {"name": "tiny", "sha256": "0" * 64, "bytes": 1, "weights": "float32", "parameters": 1}
MODELS = {"tiny": {**TINY, "macs_per_second": 1, "chunk_seconds": 3.0, "overlap": 0.25}}
CPU, GPU = BenchmarkRow("tiny", "cpu"), BenchmarkRow("tiny", "gpu")
ON_CPU = Proof("cpu", "cpu", "CPU, 1 thread", True, threads=1)
ON_GPU = Proof("gpu", "gpu", "GPU: Fast", True, adapter="Fast (Vulkan, Discrete GPU)")
IN_SOFTWARE = Proof("gpu", "gpu", "GPU, software: Slow", True, adapter="Slow", software=True)
REFERENCE = np.tile([0.5, 0.5, -0.5, -0.5], 4)
rapl, battery = partial(Energy, "RAPL package-0", "CPU package"), partial(Energy, "battery BAT0", "machine")


def a_run(elapsed=1.0, seconds=10.0, cpu=2.0, chunks=(0.2, 0.3)):
    return Run(Opening(0.5, 0.25, 0.125), seconds, elapsed, tuple(chunks), cpu, 1000)


def told(session, tdp=None, problems=(), warnings=()):
    settings = {"delegate": "all", "duration": 10.0, "repeat": 2}
    context = {"machine": MACHINE, "models": MODELS, "settings": settings, "tdp": tdp}
    return valid(results(session, meter_problems=problems, warnings=warnings, **context))


def cells(result, title):
    return next(row for group in lines(result, "tiny") for name, row in group if name == title)


def about(*values):
    ends = {"median": np.median(values), "min": min(values), "max": max(values)}
    return pytest.approx({**ends, "runs": len(values)})


@dataclass
class FakeMeter(Meter):
    """Meter with one more joule at each reading; the reading with the given number fails."""

    events: list[str]
    failing: int | None = None
    name, scope = "RAPL package-0", "CPU package"

    def read(self):
        self.events.append("read")
        if (number := self.events.count("read")) == self.failing:
            raise MeterError("vanished")
        return float(number)


class FakeWorkers:
    """Stand-in for `open_worker`: records events, raises `failures`; `later` are proofs of earlier rows."""

    def __init__(self, failures=(), later=(), stems=()):
        self.failures, self.later, self.stems = dict(failures), dict(later), dict(stems)
        self.events, self.runs = [], 0

    @contextmanager
    def __call__(self, row, recording, stems):
        def run():
            self.note(f"run {row.name}")
            time.sleep(0.02)  # at least one clock tick of any system: power is energy over time
            for name, samples in zip(("near", "far"), self.stems.get(row, [REFERENCE] * 2), strict=True):
                sf.write(stems / f"{name}.wav", samples, 16, subtype="FLOAT")
            self.runs += 1
            return a_run(elapsed=float(self.runs))  # the same number of seconds of wall-clock time

        assert recording == Path("tiny.wav")
        proof = ON_GPU if row == GPU else replace(ON_CPU, name=row.name, threads=row.threads)
        again = f"open {row.name}" in self.events
        self.note(f"open {row.name}")
        try:
            yield SimpleNamespace(proof=self.later.get(row, proof) if again else proof, run=run)
        finally:
            self.note(f"close {row.name}")

    def note(self, event):
        self.events.append(event)
        if event in self.failures:
            raise self.failures[event]

    def session(self, rows, folder, meters=(), gpu_required=False):
        settings = {"repeat": 2, "idle_seconds": 0.02, "gpu_required": gpu_required}
        said = {"tell": self.events.append, "clock": lambda: sum(range(self.runs + 1))}
        return run_session(rows, lambda model: Path(f"{model}.wav"), folder, self, meters, **settings, **said)


# Rows.


def test_all_is_the_cpu_at_each_number_of_threads_then_the_gpu_then_the_library():
    so = Path("folder/x.so")
    each = [("cpu", 2), ("cpu", 1), ("gpu", 2), ("library", 2, so)]
    rows = plan_rows(["a", "b"], "all", [2, 1], so)
    assert rows == [BenchmarkRow(model, *rest) for model in ("a", "b") for rest in each]
    assert [row.name for row in rows[:4]] == ["CPU, 2 threads", "CPU, 1 thread", "GPU", "x.so"]
    assert {row.reference for row in rows} == {BenchmarkRow("a", "cpu", 1), BenchmarkRow("b", "cpu", 1)}
    assert plan_rows(["a"], "cpu", [1, 4]) == [BenchmarkRow("a", "cpu", 1), BenchmarkRow("a", "cpu", 4)]
    assert plan_rows(["a"], "gpu", [4, 1]) == [BenchmarkRow("a", "gpu", 4)]
    assert plan_rows(["a"], "auto", [4, 1], so) == [
        BenchmarkRow("a", "auto", 4),
        BenchmarkRow("a", "library", 4, so),
    ]


def test_the_recording_is_the_same_each_time_as_long_as_asked_and_begins_again_each_minute(tmp_path):
    rate, minute, extra = 800, 48_000, 1201
    for name, frames in (("a", minute + extra), ("b", minute + extra), ("short", 80)):
        recording.write_recording(tmp_path / name, frames / rate, rate)
    form = sf.info(tmp_path / "a")
    assert (form.format, form.subtype, form.samplerate, form.channels) == ("WAV", "FLOAT", rate, 1)
    samples, again, short = (sf.read(tmp_path / name)[0] for name in ("a", "b", "short"))
    assert np.array_equal(samples, again)
    assert (len(samples), len(short)) == (minute + extra, 80)
    assert np.array_equal(samples[minute:], samples[:extra])
    assert not np.array_equal(samples[minute // 2 :][:extra], samples[:extra])
    assert 0.2 < np.abs(samples).max() <= 1


# Participants and their order.


def test_rows_take_turns_after_each_was_warmed_up_one_process_at_a_time(tmp_path):
    workers = FakeWorkers()
    session = workers.session([CPU, GPU], tmp_path, [FakeMeter(workers.events)])
    cpu, gpu = ([f"{verb} {row.name}" for verb in ("open", "run", "close")] for row in (CPU, GPU))
    turn = [event for begin, run, end in (cpu, gpu) for event in (begin, "read", run, "read", end)]
    idle = ["measuring the idle machine: 0.02 s", "read", "read"]
    warmed = ["warming up: tiny, CPU, 1 thread", *cpu, "warming up: tiny, GPU", *gpu]
    assert workers.events == [*warmed, *idle, "measuring: 4 runs, about 6 s", *turn, *turn]
    assert [[run.elapsed for run in entry.runs] for entry in session.entries] == [[3, 5], [4, 6]]
    assert [(entry.row, entry.proof) for entry in session.entries] == [(CPU, ON_CPU), (GPU, ON_GPU)]
    assert [[one.joules for (one,) in entry.energies] for entry in session.entries] == [[1, 1], [1, 1]]
    assert ([one.joules for one in session.idle], session.missing) == ([1], [])


def test_stems_are_compared_with_one_cpu_thread_even_where_it_is_no_row(tmp_path):
    minute, noise, after = np.tile(REFERENCE, 60), np.tile([0.03125, -0.03125], 480), np.ones(16)
    expected = [np.append(minute, after), np.append(0 * minute, after)]
    changed = [np.append(minute + noise, -after), np.append(0.25 * minute, -after)]
    two = replace(CPU, threads=2)
    workers = FakeWorkers(stems={CPU: expected, two: changed})
    (entry,) = workers.session([two], tmp_path).entries
    scores = {"near_si_sdr_db": 24.08, "far_si_sdr_db": None}  # 1 to 1/16 at right angles; silence
    assert entry.agreement == {**scores, "largest_difference": 0.125, "seconds": 60}  # far's; a period
    assert [workers.events.count(f"run {row.name}") for row in (CPU, two)] == [1, 3]
    workers = FakeWorkers(stems={GPU: [0.5 * REFERENCE, REFERENCE]})
    first, second = (entry.agreement for entry in workers.session([CPU, GPU], tmp_path).entries)
    scores = {"near_si_sdr_db": 80, "far_si_sdr_db": 80}  # a gain is not a distortion
    assert (first, second) == (None, {**scores, "largest_difference": 0.25, "seconds": 1})
    assert workers.events.count("run CPU, 1 thread") == 3  # its warm-up is the reference


@pytest.mark.parametrize("error", [Refused("no adapter"), Died("its process ended with SIGSEGV")])
@pytest.mark.parametrize("event", ["open", "run"])
def test_a_gpu_that_cannot_be_used_is_missing_or_an_error_and_never_a_row(tmp_path, event, error):
    workers = FakeWorkers({f"{event} GPU": error})
    session = workers.session([GPU, CPU], tmp_path)
    assert [(entry.row, len(entry.runs)) for entry in session.entries] == [(CPU, 2)]
    assert (session.missing, workers.events.count("open GPU")) == ([("GPU row of tiny", str(error))], 1)
    assert told(session)["not_measured"][0] == {"what": "GPU row of tiny", "why": str(error)}
    with pytest.raises(DssError) as required:
        FakeWorkers({f"{event} GPU": error}).session([GPU], tmp_path, gpu_required=True)
    assert str(required.value) == f"tiny on GPU: {error}; `--delegate all` leaves it out"
    with pytest.raises(DssError) as other:  # no other row may be left out
        FakeWorkers({f"{event} CPU, 1 thread": error}).session([CPU, GPU], tmp_path)
    assert str(other.value) == f"tiny on CPU, 1 thread: {error}"


@pytest.mark.parametrize("wrong", [[0 * REFERENCE, REFERENCE], [REFERENCE, np.roll(REFERENCE, 1)]])
def test_a_row_that_computes_something_else_is_missing_or_an_error_and_never_a_row(tmp_path, wrong):
    session = FakeWorkers(stems={GPU: wrong}).session([CPU, GPU], tmp_path)
    assert [entry.row for entry in session.entries] == [CPU]
    ((what, why),) = session.missing
    assert what == "GPU row of tiny" and why.startswith("its results differ from those of the CPU")
    with pytest.raises(DssError, match=r"tiny on GPU: its results differ .* -80.0 dB.*; at least 20 needed"):
        FakeWorkers(stems={GPU: wrong}).session([GPU], tmp_path, gpu_required=True)
    two = replace(CPU, threads=2)
    with pytest.raises(DssError, match="tiny on CPU, 2 threads: its results differ"):
        FakeWorkers(stems={two: wrong}).session([CPU, two], tmp_path)


def test_a_later_run_on_something_else_is_an_error(tmp_path):
    workers = FakeWorkers(later={GPU: IN_SOFTWARE})
    with pytest.raises(DssError) as error:
        workers.session([GPU], tmp_path)
    assert str(error.value) == "tiny: at first on GPU: Fast, then on GPU, software: Slow"
    assert workers.events[-3:] == ["measuring: 2 runs, about 2 s", "open GPU", "close GPU"]


# Figures.


def test_spread_is_median_smallest_largest_and_nothing_where_a_value_is_missing():
    assert spread([3.0, 0.0, 10.0, 2.0]) == {"median": 2.5, "min": 0.0, "max": 10.0, "runs": 4}
    assert spread([1.0, None, 2.0]) is spread([None]) is spread([]) is None


def test_ratios_are_of_pairs_not_of_medians():
    assert ratio([1.0, 10.0, 9.0], [2.0, 40.0, 10.0]) == {"median": 0.5, "min": 0.25, "max": 0.9, "runs": 3}
    for values, others in (([1.0, None], [1.0, 1.0]), ([1.0], [None]), ([1.0], [0.0]), ([-1.0], [-1.0])):
        assert ratio(values, others) is None


@given(st.lists(st.integers(0, 50).map(float), min_size=1, max_size=300))
def test_percentiles_are_values_that_occurred_with_enough_at_or_below(values):
    for name, value in percentiles(values).items():
        assert value in values
        below, within = sum(other < value for other in values), sum(other <= value for other in values)
        assert 100 * below < int(name[1:]) * len(values) <= 100 * within


def test_figures_are_per_second_of_audio_and_percentiles_of_all_chunks():
    other = replace(a_run(4.0, 20.0, 6.0, (0.1, 0.4)), opening=Opening(1.5, 1.25, 1.125), peak_bytes=3000)
    runs = [a_run(), other, a_run(2.0, 10.0, 5.0, (0.6, 0.7, 0.8))]
    result = told(Measurements([Entry(CPU, ON_CPU, None, runs)]))
    (row,) = result["rows"]
    assert row["rtf_file"] == about(0.1, 0.2, 0.2)
    assert row["rtf_network"] == about(0.05, 0.025, 0.21)
    assert row["cpu_seconds_per_audio_second"] == about(0.2, 0.3, 0.5)
    assert row["peak_memory_bytes"] == about(1000, 3000, 1000)
    opening = [row[f"{name}_seconds"] for name in ("import", "load", "first_chunk")]
    assert opening == [about(0.5, 1.5, 0.5), about(0.25, 1.25, 0.25), about(0.125, 1.125, 0.125)]
    assert row["chunk_seconds"] == {"p50": 0.4, "p95": 0.8, "p99": 0.8, "chunks": 7}
    assert cells(result, "RTF, file to file") == ["0.2 (0.1 to 0.2)"]
    assert cells(result, "chunk, p50, ms") == ["400"]


def test_energy_is_gross_and_net_of_the_idle_machine_with_ratios_of_each_turn():
    idle = (rapl(5.0, 50.0), battery(5.0, 5.0, 0.5))
    cpu = [(rapl(4.0, 100.0), battery(2.0, 8.0, 1.0)), (rapl(4.0, 200.0), battery(2.0, 12.0, 3.0))]
    gpu = [(rapl(2.0, 50.0), battery(4.0, 4.0, 2.0)), (rapl(2.0, 40.0), battery(2.0, 6.0, 2.0))]
    two = [a_run(), a_run()]
    result = told(
        Measurements([Entry(CPU, ON_CPU, None, two, cpu), Entry(GPU, ON_GPU, None, two, gpu)], idle)
    )
    assert [one["watts"] for one in result["idle"]] == [10.0, 1.0]
    first, second = result["rows"][0]["energy"]
    assert first["gross_joules_per_audio_second"] == about(10, 20)
    assert first["net_joules_per_audio_second"] == about(6, 16)
    assert (first["watts"], first["battery_percent_per_audio_second"]) == (about(25, 50), None)
    assert second["net_joules_per_audio_second"] == about(0.6, 1)
    assert second["battery_percent_per_audio_second"] == about(0.1, 0.3)
    assert result["ratios"][0]["energy"] == [
        {"meter": "RAPL package-0", "gross": about(0.5, 0.2), "net": about(0.5, 0.125)},
        {"meter": "battery BAT0", "gross": about(0.5, 0.5), "net": None},  # 0 J net in the first turn
    ]
    assert result["not_measured"] == []
    assert cells(result, "RAPL package-0, J per audio s") == ["15 (10 to 20)", "4.5 (4 to 5)"]
    assert cells(result, "battery BAT0, % per hour of audio") == ["720 (360 to 1080)", "720 (720 to 720)"]
    assert cells(result, "RAPL package-0 against CPU, 1 thread") == ["1", "0.35 (0.2 to 0.5)"]


def test_a_meter_that_failed_has_no_number_but_a_reason(tmp_path):
    """Readings 1 and 2 belong to the idle machine, 3 and 4 to the first run."""
    result = told(FakeWorkers().session([CPU], tmp_path, [FakeMeter([], failing=4)]))
    (energy,) = result["rows"][0]["energy"]
    known = {"meter": "RAPL package-0", "scope": "CPU package", "problem": "vanished"}
    assert {name: value for name, value in energy.items() if value is not None} == known
    assert cells(result, "RAPL package-0, J per audio s") == ["vanished"]
    assert result["not_measured"] == []
    result = told(FakeWorkers().session([CPU], tmp_path, [FakeMeter([], failing=2)]))
    (energy,) = result["rows"][0]["energy"]
    assert energy["gross_joules_per_audio_second"] == about(0.1, 0.1)
    assert (energy["net_joules_per_audio_second"], energy["problem"]) == (None, None)
    assert result["not_measured"] == [{"what": "idle power by RAPL package-0", "why": "vanished"}]


def test_without_a_meter_the_column_says_so_and_why():
    session = Measurements([Entry(CPU, ON_CPU, None, [a_run()])])
    result = told(session, problems=["RAPL: denied", "NVML: no driver"])
    assert result["not_measured"] == [{"what": "energy", "why": "RAPL: denied; NVML: no driver"}]
    assert (result["rows"][0]["energy"], result["rows"][0]["energy_estimate"]) == ([], None)
    assert cells(result, "energy, J per audio s") == ["not measured"]
    assert notes(result)[-1] == "Not measured: energy: RAPL: denied; NVML: no driver."
    assert told(session)["not_measured"] == [{"what": "energy", "why": NO_METER}]


def test_an_estimate_is_cpu_time_times_watts_marked_and_for_work_on_the_cpu_alone():
    other, on_other = (
        BenchmarkRow("tiny", "library", 1, Path("x.so")),
        Proof("library", "library", "x.so", True),
    )
    rows = [(CPU, ON_CPU), (GPU, ON_GPU), (GPU, IN_SOFTWARE), (other, on_other)]
    session = Measurements([Entry(row, proof, None, [a_run(cpu=2.0), a_run(cpu=4.0)]) for row, proof in rows])
    result = told(session, tdp=15.0)
    estimate = {"tdp_watts": 15.0, "joules_per_audio_second": about(3, 6)}
    assert [row["energy_estimate"] for row in result["rows"]] == [estimate, None, estimate, None]
    none = [{"what": f"energy estimate of {name}", "why": NO_ESTIMATE} for name in ("GPU: Fast", "x.so")]
    assert result["not_measured"][1:] == none
    number = "4.5 (3 to 6) *estimate*"
    assert cells(result, "energy, J per audio s") == [number, "not measured", number, "not measured"]
    assert "*Estimate*: CPU time x 15 W, as --tdp gives them; nothing measured it." in notes(result)
    metered = Measurements([Entry(CPU, ON_CPU, None, [a_run()], [(rapl(1.0, 1.0),)])], (rapl(1.0, 1.0),))
    assert told(metered, tdp=15.0)["rows"][0]["energy_estimate"] is None


def test_ratios_are_to_the_first_cpu_row_and_of_what_runs_elsewhere_to_each():
    rows = [CPU, replace(CPU, threads=2), GPU, replace(CPU, model="other"), replace(GPU, model="other")]
    times = [(1.0, 4.0), (0.5, 1.0), (0.25, 2.0), (8.0, 8.0), (2.0, 6.0)]
    session = Measurements()
    for row, elapsed in zip(rows, times, strict=True):
        runs = [a_run(one, cpu=2 * one, chunks=(one / 2,)) for one in elapsed]
        session.entries.append(Entry(row, ON_GPU if row.delegate == "gpu" else ON_CPU, None, runs))
    result = told(session)
    expected = {(1, 0): (0.5, 0.25), (2, 0): (0.25, 0.5), (2, 1): (0.5, 2.0), (4, 3): (0.25, 0.75)}
    assert [(one["row"], one["to"]) for one in result["ratios"]] == list(expected)
    for found, pairs in zip(result["ratios"], expected.values(), strict=True):
        for name in ("rtf_file", "rtf_network", "cpu_seconds_per_audio_second"):
            assert found[name] == about(*pairs)
    assert cells(result, "RTF against CPU, 1 thread") == ["1", *["0.375 (0.25 to 0.5)"] * 2]


def test_csv_has_a_line_for_each_row_and_nothing_where_nothing_was_measured():
    idle, failed = rapl(5.0, 50.0), replace(rapl(5.0, None), problem="vanished")
    agreement = {"near_si_sdr_db": 60.5, "far_si_sdr_db": None, "largest_difference": 0.5, "seconds": 10}
    cpu = Entry(CPU, ON_CPU, None, [a_run(1.0), a_run(3.0)], [(rapl(4.0, 100.0),)] * 2)
    gpu = Entry(GPU, ON_GPU, agreement, [replace(a_run(), peak_bytes=None)] * 2, [(failed,)] * 2)
    found = list(csv.DictReader(io.StringIO(sheet.sheet_text(told(Measurements([cpu, gpu], (idle,)))))))
    plain = ["name", "used", "threads", "adapter", "near_si_sdr_db", "far_si_sdr_db", "chunk_seconds_p99"]
    spreads = ["rtf_file_median", "rtf_file_max", "peak_memory_bytes_min"]
    energy = [f"{name}_joules_per_audio_second_median" for name in ("RAPL package-0 net", "estimated")]
    assert [[line[name] for name in plain + spreads + energy] for line in found] == [
        ["CPU, 1 thread", "cpu", "1", "", "", "", "0.3", "0.2", "0.3", "1000", "6.0", ""],
        ["GPU: Fast", "gpu", "", ON_GPU.adapter, "60.5", "", "0.3", "0.1", "0.1", "", "", ""],
    ]


def test_a_fallback_is_told_below_the_table_of_auto():
    fell_back = replace(ON_CPU, asked="auto", fallback_reason="no GPU adapter was found")
    warning = f"tiny: running on the CPU: {fell_back.fallback_reason}"
    result = told(
        Measurements([Entry(BenchmarkRow("tiny", "auto"), fell_back, None, [a_run()])]), warnings=[warning]
    )
    assert result["rows"][0]["delegate"]["fallback_reason"] == fell_back.fallback_reason
    assert (result["warnings"], cells(result, "asked, used")) == ([warning], ["auto, cpu"])
    assert markdown_results(result).endswith(f"\n- Warning: {warning}.\n")


def test_ops_left_are_those_that_the_outputs_need_and_no_delegate_makes():
    def node(name, inputs, outputs):
        return {"op_name": name, "inputs": np.array(inputs), "outputs": np.array(outputs)}

    graph = [node("CONV_2D", [0, -1], [1]), node("SPLIT", [1], [2, 3]), node("CONV_2D", [2], [4])]
    graph += [node("ADD", [3], [5]), node("ABS", [0], [6])]  # the last output is unused
    for delegates, left in (
        ([], {"ADD": 1, "CONV_2D": 2, "SPLIT": 1}),
        ([node("DELEGATE", [0], [2, 3])], {"ADD": 1, "CONV_2D": 1}),
        ([node("DELEGATE", [0], [1]), node("DELEGATE", [2], [4])], {"ADD": 1, "SPLIT": 1}),
        ([node("DELEGATE", [0], [4, 5])], {}),
    ):
        for nodes in (graph + delegates, delegates + graph):
            assert list(library.remaining(nodes, np.array([4, 5])).items()) == list(left.items())


@pytest.mark.skipif(sys.platform != "linux", reason="a child begins with its parent's peak there alone")
def test_peak_memory_is_of_the_process_alone():
    held, more = np.ones(2**28, np.uint8), 2**26
    script = f"print(peak_memory(), len(b'x' * {more}), peak_memory())"
    script = f"from dss_cli.benchmark.measurement import peak_memory\n{script}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    before, _, after = map(int, done.stdout.split())
    assert peak_memory() >= held.nbytes > after >= before + 0.9 * more


def test_the_document_holds_what_its_command_gives_and_keeps_the_rest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")  # programs beside this Python are found nevertheless
    Path("give.py").write_text("import sys\nassert sys.argv[2] == '--json'\nprint(open(sys.argv[1]).read())")
    commands, tables = [], []
    for number in (1, 2):
        result = told(Measurements([Entry(CPU, ON_CPU, None, [a_run(number)])]), warnings=[r"\1"])
        Path(f"{number}.json").write_text(json.dumps(result))
        commands.append(f"{Path(sys.executable).name} give.py {number}.json")
        tables.append(f"\n```sh\n{commands[-1]}\n```\n\n{markdown_results(result)}\n")

    def whole(*parts):
        marked = [f"<!-- bench: {commands[i]} -->\n{parts[i]}<!-- bench: end -->" for i in (0, 1)]
        return f"# Über\n\n{marked[0]}\nbetween\n{marked[1]}\nafter\n".encode()

    path = Path("figures.md")
    path.write_bytes(whole("old\n", ""))
    for _ in range(2):  # the second time changes nothing
        assert (benchmark_document.update(path), path.read_bytes()) == (2, whole(*tables))
    Path("2.json").replace("1.json")  # the first command gives a new result, the second fails
    before = files(tmp_path)
    with pytest.raises(subprocess.CalledProcessError):
        benchmark_document.update(path)
    assert (path.read_bytes(), files(tmp_path)) == (whole(*tables), before)
    assert benchmark_document.update(Path("give.py")) == 0  # the document has no command
