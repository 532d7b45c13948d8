"""The catalogue of faults."""

from __future__ import annotations

from kovra_checks.lab.faults.base import Fault
from kovra_checks.lab.faults.database import FAULTS as DATABASE
from kovra_checks.lab.faults.dns import FAULTS as DNS
from kovra_checks.lab.faults.platform import FAULTS as PLATFORM
from kovra_checks.lab.faults.web import FAULTS as WEB

__all__ = ["FAULTS", "Fault"]

FAULTS: dict[str, Fault] = {
    fault.name: fault for fault in sorted((*DATABASE, *DNS, *PLATFORM, *WEB), key=lambda fault: fault.name)
}
