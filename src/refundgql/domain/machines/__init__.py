"""The case machines, one per kind, and the transition table read from them once."""

from __future__ import annotations

from refundgql.domain.machines.base import CaseMachine
from refundgql.domain.machines.escrow import EscrowMachine
from refundgql.domain.machines.invoice import InvoiceMachine
from refundgql.domain.machines.lead import LeadMachine
from refundgql.domain.machines.timesheet import TimesheetMachine
from refundgql.domain.vocabulary import RefundCaseKind

MACHINES: dict[RefundCaseKind, type[CaseMachine]] = {
    machine.kind: machine for machine in (LeadMachine, InvoiceMachine, EscrowMachine, TimesheetMachine)
}
