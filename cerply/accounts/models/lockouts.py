"""Failures to sign in, as `django-axes` counts them."""

from axes.models import AccessAttempt


class FailedSignIn(AccessAttempt):  # type: ignore[misc]  # the library has no types
    """Of one e-mail address from one client address and browser."""

    class Meta:
        proxy = True
        verbose_name = "failed sign-in"

    def __str__(self) -> str:
        return f"{self.username} from {self.ip_address}"
