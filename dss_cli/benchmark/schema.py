"""Types of the results of `dss bench --json`; `schema.json` is generated from them.

`python -m tools.update_docs schema` writes that file. Only type checkers and that command import this module,
so `dss` does not need msgspec at run time.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from msgspec import Meta

Count = Annotated[int, Meta(ge=1)]
Whole = Annotated[int, Meta(ge=0)]
Seconds = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Reason = Annotated[str, Meta(min_length=1)]


class Spread(TypedDict):
    """Statistics over the runs of a row."""

    median: float
    min: float
    max: float
    runs: Count


class Machine(TypedDict):
    """Machine of the measurement."""

    system: str
    release: str
    architecture: str
    processor: str
    processors: Annotated[Count, Meta(description="Logical processors that this process may use.")]
    load_average: Annotated[
        NotNegative | None,
        Meta(description="Average of the last minute before the runs; null if the system has none."),
    ]
    python: str
    litert: str
    dss: str


class BenchmarkedModel(TypedDict):
    """Description of a measured model."""

    name: str
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    bytes: Count
    weights: Annotated[str | None, Meta(description="Type of most of the stored bytes.")]
    parameters: Whole
    macs_per_second: Annotated[
        Whole | None, Meta(description="Multiply-accumulates per second of audio, without overlap.")
    ]
    chunk_seconds: Seconds
    overlap: Annotated[float, Meta(ge=0, le=0.5)]


class Settings(TypedDict):
    """Settings of the benchmark."""

    delegate: Literal["all", "auto", "gpu", "cpu"]
    duration: Annotated[Seconds, Meta(description="Seconds of audio per run.")]
    repeat: Annotated[Count, Meta(description="Runs of each row.")]


class Idle(TypedDict):
    """Idle machine according to one meter."""

    meter: str
    scope: Annotated[
        str,
        Meta(description="Metered part; energies of several scopes overlap and must not be added."),
    ]
    seconds: NotNegative
    watts: float | None


class Delegate(TypedDict):
    """Delegate that ran a row, with proof."""

    asked: Literal["cpu", "gpu", "auto", "library"]
    used: Literal["cpu", "gpu", "library"]
    name: str
    fully_accelerated: Annotated[bool, Meta(description="Whether the delegate runs the whole graph.")]
    not_accelerated: Annotated[
        dict[str, Count],
        Meta(description="Operators that the delegate does not run, with counts, if LiteRT reports them."),
    ]
    fallback_reason: Annotated[str | None, Meta(description="Reason for the CPU if `auto` was requested.")]
    adapter: Annotated[str | None, Meta(description="The GPU with API and kind, as named by the driver.")]
    software: Annotated[bool, Meta(description="Whether the adapter is a software renderer.")]
    threads: Annotated[Count | None, Meta(description="CPU threads; null on a GPU.")]
    library: str | None
    precision: Annotated[str, Meta(description="Of the arithmetic.")]


GPU_ASKED = {  # and nothing else will do
    "allOf": [
        {
            "if": {"properties": {"asked": {"const": "gpu"}}},
            "then": {
                "properties": {
                    "used": {"const": "gpu"},
                    "fully_accelerated": {"const": True},
                    "adapter": {"type": "string"},
                }
            },
        }
    ]
}


class Agreement(TypedDict):
    """Agreement with the stems of the CPU on one thread."""

    near_si_sdr_db: Annotated[
        float | None, Meta(description="80 means 80 or more; null if the reference is silent.")
    ]
    far_si_sdr_db: float | None
    largest_difference: Annotated[
        NotNegative, Meta(description="Largest difference of samples; full scale is 1.")
    ]
    seconds: Annotated[Seconds, Meta(description="Seconds that were compared.")]


class ChunkSeconds(TypedDict):
    """Statistics over the chunks of all runs."""

    p50: Seconds
    p95: Seconds
    p99: Seconds
    chunks: Count


class Shares(TypedDict):
    """Shares of the time of a run, which sum to 1."""

    reading: Annotated[Share, Meta(description="Reading the recording; resampling of recording and stems.")]
    analysis: Annotated[Share, Meta(description="Fourier transform and compression.")]
    network: Share
    synthesis: Annotated[Share, Meta(description="Decompression and inverse Fourier transform.")]
    writing: Annotated[Share, Meta(description="Writing the stems.")]
    rest: Annotated[Share, Meta(description="Cutting and crossfading of chunks, checks, residual.")]


class ProfileResult(TypedDict):
    """Result of one additional run under Python's profiler."""

    elapsed_seconds: Annotated[Seconds, Meta(description="Time from file to files, including the profiler.")]
    shares: Shares


class EnergyResult(TypedDict):
    """Energy of a row according to one meter."""

    meter: str
    scope: str
    gross_joules_per_audio_second: Spread | None
    net_joules_per_audio_second: Annotated[
        Spread | None, Meta(description="Gross energy minus the energy of the idle machine in the same time.")
    ]
    watts: Annotated[Spread | None, Meta(description="Gross average during the runs.")]
    battery_percent_per_audio_second: Spread | None
    problem: Annotated[str | None, Meta(description="Reason for missing numbers.")]


class EnergyEstimate(TypedDict):
    """Estimate (CPU time x watts) with --tdp and without a readable meter; not a measurement."""

    tdp_watts: Seconds
    joules_per_audio_second: Spread


class RowResult(TypedDict):
    """Row: one way to run one model."""

    model: Annotated[str, Meta(description="Name as requested; a key of `models`.")]
    name: Annotated[str, Meta(description="Readable name; names a software GPU as such.")]
    delegate: Annotated[Delegate, Meta(extra_json_schema=GPU_ASKED)]
    agreement: Annotated[Agreement | None, Meta(description="Null for the reference row itself.")]
    rtf_file: Annotated[Spread, Meta(description="Real-time factor from file to files.")]
    rtf_network: Annotated[Spread, Meta(description="Real-time factor of only the network.")]
    cpu_seconds_per_audio_second: Annotated[Spread, Meta(description="User and system time of all threads.")]
    peak_memory_bytes: Annotated[
        Spread | None,
        Meta(description="Resident memory of the row's process; null if unknown."),
    ]
    import_seconds: Spread
    load_seconds: Annotated[Spread, Meta(description="Reading, checking and compiling the model.")]
    first_chunk_seconds: Annotated[Spread, Meta(description="First run of the network in its process.")]
    startup_seconds: Annotated[
        Spread | None,
        Meta(
            description="Wall-clock time of the process `dss separate` for one chunk of audio; null for an "
            "external delegate, which `dss separate` does not support, and after a failure."
        ),
    ]
    chunk_seconds: ChunkSeconds
    profile: Annotated[ProfileResult | None, Meta(description="Null without --profile.")]
    energy: Annotated[list[EnergyResult], Meta(description="Energies by meter, as in `idle`.")]
    energy_estimate: EnergyEstimate | None


class EnergyRatio(TypedDict):
    """Comparison of energies according to one meter."""

    meter: str
    gross: Spread | None
    net: Spread | None


class Ratio(TypedDict):
    """Comparison of two rows of one model; each pair of runs belongs to one turn."""

    row: Annotated[Whole, Meta(description="Index in `rows`.")]
    to: Annotated[Whole, Meta(description="Index in `rows`.")]
    rtf_file: Spread | None
    rtf_network: Spread | None
    cpu_seconds_per_audio_second: Spread | None
    energy: list[EnergyRatio]


class NotMeasured(TypedDict):
    """Quantity that could not be measured."""

    what: str
    why: Reason


class Results(TypedDict):
    """Results of `dss bench`.

    Missing values are null; `not_measured` or `problem` contains the reason.
    """

    schema: Literal[1]
    machine: Machine
    models: Annotated[dict[str, BenchmarkedModel], Meta(description="Models by the names in the rows.")]
    settings: Settings
    idle: Annotated[list[Idle], Meta(description="Idle power by meter; empty without a readable meter.")]
    rows: list[RowResult]
    ratios: Annotated[
        list[Ratio],
        Meta(description="Every row with the first CPU row, other delegates with each CPU row."),
    ]
    not_measured: list[NotMeasured]
    warnings: list[str]
