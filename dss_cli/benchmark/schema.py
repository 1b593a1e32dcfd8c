"""Types of the results of `dss bench --json`; `schema.json` is generated from them.

`python -m tools.update_docs schema` writes that file. Only type checkers and that command import this module:
where `dss` runs, msgspec need not be installed.
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
    """Over the runs of a row."""

    median: float
    min: float
    max: float
    runs: Count


class Machine(TypedDict):
    """Where it was measured."""

    system: str
    release: str
    architecture: str
    processor: str
    processors: Annotated[Count, Meta(description="Logical ones that this process may use.")]
    load_average: Annotated[
        NotNegative | None,
        Meta(description="Of the last minute, before anything ran; null where the system has none."),
    ]
    python: str
    litert: str
    dss: str


class BenchmarkedModel(TypedDict):
    """Which model was measured."""

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
    """What was asked."""

    delegate: Literal["all", "auto", "gpu", "cpu"]
    duration: Annotated[Seconds, Meta(description="Seconds of audio in a run.")]
    repeat: Annotated[Count, Meta(description="Runs of each row.")]


class Idle(TypedDict):
    """The idle machine, by one meter."""

    meter: str
    scope: Annotated[
        str,
        Meta(description="What is metered; energies of several scopes overlap and must not be added."),
    ]
    seconds: NotNegative
    watts: float | None


class Delegate(TypedDict):
    """Who did the work."""

    asked: Literal["cpu", "gpu", "auto", "library"]
    used: Literal["cpu", "gpu", "library"]
    name: str
    fully_accelerated: Annotated[bool, Meta(description="The whole graph is the delegate's.")]
    not_accelerated: Annotated[
        dict[str, Count],
        Meta(description="Operators that are not, each with its number, as far as LiteRT tells."),
    ]
    fallback_reason: Annotated[str | None, Meta(description="Why the CPU runs where `auto` was asked.")]
    adapter: Annotated[
        str | None, Meta(description="The GPU with its API and kind, as its driver names them.")
    ]
    software: Annotated[bool, Meta(description="The adapter renders on the CPU.")]
    threads: Annotated[Count | None, Meta(description="Of the CPU; null on a GPU.")]
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
    """With the stems of the CPU on one thread."""

    near_si_sdr_db: Annotated[
        float | None, Meta(description="80 stands for 80 and more; null where the reference is silent.")
    ]
    far_si_sdr_db: float | None
    largest_difference: Annotated[NotNegative, Meta(description="Of any sample; full scale is 1.")]
    seconds: Annotated[Seconds, Meta(description="That were compared.")]


class ChunkSeconds(TypedDict):
    """Over the chunks of all runs."""

    p50: Seconds
    p95: Seconds
    p99: Seconds
    chunks: Count


class Shares(TypedDict):
    """Of the time of a run; they add up to 1."""

    reading: Annotated[Share, Meta(description="Reading the recording; resampling it, and the stems.")]
    analysis: Annotated[Share, Meta(description="The Fourier transform and the compression.")]
    network: Share
    synthesis: Annotated[Share, Meta(description="Decompression and the inverse Fourier transform.")]
    writing: Annotated[Share, Meta(description="The stems, to the disk.")]
    rest: Annotated[Share, Meta(description="Cutting and fading the chunks, checks, the residual.")]


class ProfileResult(TypedDict):
    """Of one further run under Python's profiler."""

    elapsed_seconds: Annotated[Seconds, Meta(description="From file to files, with the profiler's own time.")]
    shares: Shares


class EnergyResult(TypedDict):
    """What one meter says of a row."""

    meter: str
    scope: str
    gross_joules_per_audio_second: Spread | None
    net_joules_per_audio_second: Annotated[
        Spread | None, Meta(description="Beyond what the idle machine spends in that time.")
    ]
    watts: Annotated[Spread | None, Meta(description="Gross average while running.")]
    battery_percent_per_audio_second: Spread | None
    problem: Annotated[str | None, Meta(description="Why there is no number.")]


class EnergyEstimate(TypedDict):
    """CPU time x watts, where --tdp gives them and no meter can be read: no measurement."""

    tdp_watts: Seconds
    joules_per_audio_second: Spread


class RowResult(TypedDict):
    """One way to run one model."""

    model: Annotated[str, Meta(description="As it was asked for; a key of `models`.")]
    name: Annotated[str, Meta(description="For people; a GPU in software is called so.")]
    delegate: Annotated[Delegate, Meta(extra_json_schema=GPU_ASKED)]
    agreement: Annotated[Agreement | None, Meta(description="Null for that row itself.")]
    rtf_file: Annotated[Spread, Meta(description="Real-time factor from file to files.")]
    rtf_network: Annotated[Spread, Meta(description="Real-time factor of the network alone.")]
    cpu_seconds_per_audio_second: Annotated[Spread, Meta(description="User and system, all threads.")]
    peak_memory_bytes: Annotated[
        Spread | None,
        Meta(description="Resident, of the row's process; null where the system does not tell."),
    ]
    import_seconds: Spread
    load_seconds: Annotated[Spread, Meta(description="Reading, checking and compiling the model.")]
    first_chunk_seconds: Annotated[
        Spread, Meta(description="The first time that the network runs in its process.")
    ]
    startup_seconds: Annotated[
        Spread | None,
        Meta(
            description="Wall-clock time of `dss separate` on a recording of one chunk, the whole process; "
            "null for an external delegate, which that does not take, and where it failed."
        ),
    ]
    chunk_seconds: ChunkSeconds
    profile: Annotated[ProfileResult | None, Meta(description="Null without --profile.")]
    energy: Annotated[list[EnergyResult], Meta(description="By meter, as in `idle`.")]
    energy_estimate: EnergyEstimate | None


class EnergyRatio(TypedDict):
    """By one meter."""

    meter: str
    gross: Spread | None
    net: Spread | None


class Ratio(TypedDict):
    """Of two rows of one model; each pair of runs is of one turn."""

    row: Annotated[Whole, Meta(description="Index in `rows`.")]
    to: Annotated[Whole, Meta(description="Index in `rows`.")]
    rtf_file: Spread | None
    rtf_network: Spread | None
    cpu_seconds_per_audio_second: Spread | None
    energy: list[EnergyRatio]


class NotMeasured(TypedDict):
    """What could not be measured."""

    what: str
    why: Reason


class Results(TypedDict):
    """What `dss bench` measured.

    What could not be measured is null, and `not_measured` or `problem` says why.
    """

    schema: Literal[1]
    machine: Machine
    models: Annotated[dict[str, BenchmarkedModel], Meta(description="By the names in the rows.")]
    settings: Settings
    idle: Annotated[list[Idle], Meta(description="By meter; empty where none can be read.")]
    rows: list[RowResult]
    ratios: Annotated[
        list[Ratio],
        Meta(description="Every row to its first CPU row, every row elsewhere to each CPU row."),
    ]
    not_measured: list[NotMeasured]
    warnings: list[str]
