"""POST billing/subscriptions (contract §11.11): a record that a plan was given to somebody. Nothing is charged."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field

from compiler.provider import Request
from runner.store.subscriptions import Subscription

PERIODS: Final = ("monthly", "annual")
"""By BillingPeriodId."""


class SubscriptionRequest(Request):
    """Whom, and with which plan."""

    model_config = ConfigDict(extra="forbid")

    Email: Annotated[str, Field(max_length=254, pattern=r"^[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+$")]
    """Address of the person; upper and lower case are the same."""
    PlanId: Annotated[str, Field(min_length=1, max_length=100)]
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
