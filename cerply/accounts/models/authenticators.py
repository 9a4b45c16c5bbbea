"""The second factor of staff: an app that shows codes, and codes on paper for when the app is lost."""

import hashlib
import time
from typing import Any, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django_otp.models import Device, ThrottlingMixin
from django_otp.oath import TOTP

from cerply.accounts.models.people import User
from cerply.encryption import decrypt, encrypt

# RFC 6238, as all authenticator apps know it: HMAC-SHA-1, 30 seconds, 6 digits. One step to either side still counts.
DIGITS = 6
STEP = 30
TOLERANCE = 1


class FactorQuerySet(models.QuerySet[Any]):
    def of(self, user: User, *, confirmed: bool) -> Self:
        return self.filter(user=user, confirmed=confirmed)


class Factor(ThrottlingMixin, Device):  # type: ignore[misc]  # the library has no types
    """After each wrong code one waits twice as long; what is right counts once."""

    objects = FactorQuerySet.as_manager()

    class Meta:
        abstract = True

    def get_throttle_factor(self) -> int:
        return 1

    def settle(self, passed: bool) -> bool:
        """Saves what a try has changed, with the row locked: also that it failed, so that the next one waits."""
        if passed:
            self.throttle_reset()
        else:
            self.throttle_increment()
        return passed


class Authenticator(Factor):
    """Not confirmed until a first code was right."""

    sealed_key = models.BinaryField(editable=False)
    # Codes of this time step and of those before it do not count any more.
    last_step = models.BigIntegerField(default=-1, editable=False)

    class Meta:
        db_table = "authenticators"
        constraints = [models.UniqueConstraint(fields=["user"], name="authenticators_one_each")]

    def __str__(self) -> str:
        return f"Authenticator of {self.user_id}"

    @property
    def bound_to(self) -> bytes:
        return f"authenticator of {self.user_id}".encode()

    @property
    def key(self) -> bytes:
        return decrypt(bytes(self.sealed_key), self.bound_to, str(self))

    @key.setter
    def key(self, key: bytes) -> None:
        self.sealed_key = encrypt(key, self.bound_to)

    def verify_token(self, token: str) -> bool:
        return bool(self.verify_is_allowed()[0]) and self.settle(self._takes(token))

    def _takes(self, token: str) -> bool:
        if not (token.isascii() and token.isdigit() and len(token) == DIGITS):
            return False
        totp: Any = TOTP(self.key, STEP, digits=DIGITS)
        totp.time = time.time()
        if not totp.verify(int(token), TOLERANCE, self.last_step + 1):
            return False
        self.last_step = totp.t()
        return True


class RecoveryCodes(Factor):
    """SHA-256 of those that are left; each has 80 random bits."""

    digests = ArrayField(models.CharField(max_length=64), default=list, editable=False)

    class Meta:
        db_table = "recovery_codes"
        verbose_name_plural = "recovery codes"
        constraints = [models.UniqueConstraint(fields=["user"], name="recovery_codes_one_sheet_each")]

    def __str__(self) -> str:
        return f"Recovery codes of {self.user_id}"

    @staticmethod
    def digest(code: str) -> str:
        return hashlib.sha256(code.replace("-", "").replace(" ", "").lower().encode()).hexdigest()

    def verify_token(self, token: str) -> bool:
        return bool(self.verify_is_allowed()[0]) and self.settle(self._takes(token))

    def _takes(self, token: str) -> bool:
        digest = self.digest(token)
        if digest not in self.digests:
            return False
        self.digests = [other for other in self.digests if other != digest]
        return True
