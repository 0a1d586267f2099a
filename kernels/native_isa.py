"""Print the best instruction set of this machine, for a build with APO_ISA=native."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src" / "apochromat" / "native"))
from isa import machine_isas

print(machine_isas()[-1])
