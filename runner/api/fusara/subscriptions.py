"""POST billing/subscriptions (contract §11.11): a record that a plan was given to somebody. Nothing is charged."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, ConfigDict, Field

from compiler.provider import Request
from runner.api.fusara.fields import FILLED, filled, fits
from runner.store.subscriptions import Subscription

PERIODS: Final = ("monthly", "annual")
"""By BillingPeriodId."""
ADDRESS: Final = r"^[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+$"
_address: Final = fits(ADDRESS, "must be an e-mail address", "Give one such as user@example.com")


class SubscriptionRequest(Request):
    """Whom, and with which plan."""

    model_config = ConfigDict(extra="forbid")

    Email: Annotated[str, AfterValidator(_address), Field(max_length=254, json_schema_extra={"pattern": ADDRESS})]
    """Address of the person; upper and lower case are the same."""
    PlanId: Annotated[str, AfterValidator(filled), Field(max_length=100, json_schema_extra={"pattern": FILLED})]
    """The plan."""
    BillingPeriodId: Literal[0, 1] = 0
    """0 monthly, 1 annual. Default 0."""

    def wanted(self, tenant: str) -> Subscription:
        """What is to be stored for the tenant whose key was sent."""
        return Subscription(tenant, self.Email.lower(), self.PlanId, PERIODS[self.BillingPeriodId])


def told(found: Subscription) -> dict[str, Any]:
    """The answer's data."""
    return {
        "subscriptionId": found.number,
        "email": found.email,
        "planId": found.plan,
        "billingPeriodId": PERIODS.index(found.period),
        "status": "active",
    }
