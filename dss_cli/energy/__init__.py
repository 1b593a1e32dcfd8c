"""Energy of a computation in joules, by the meters that the machine has.

    found = find_meters()
    idle = measure_idle(found.meters, seconds=10)
    with measure(found.meters) as run:
        work()
    for energy, rest in zip(run.energies, idle):
        print(energy.meter, energy.joules, energy.net(rest), energy.problem)

Nothing is estimated: if a meter gives no value, the value is None and `problem` gives the reason.
"""

from .finding import find_meters
from .meter import Found, Meter, MeterError
from .run import Energy, EnergyRun, measure, measure_idle

__all__ = ["Energy", "EnergyRun", "Found", "Meter", "MeterError", "find_meters", "measure", "measure_idle"]
