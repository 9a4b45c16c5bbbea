"""People: members of organizations, and staff."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from unfold.contrib.filters.admin import AutocompleteSelectFilter, BooleanRadioFilter, ChoicesDropdownFilter
from unfold.decorators import action
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminSelectWidget

from cerply.accounts import passwords, people
from cerply.accounts.models import Organization, User
from cerply.console import ConsoleAdmin, NothingForm, Question, actor_of, ask, change_url
from cerply.errors import Invalid

WIRE_NAMES = {attribute: name for name, attribute in people.FIELDS.items()}


class UserForm(forms.ModelForm):
    """What the API would take, checked by the same functions."""

    class Meta:
        model = User
        fields = ("name", "email", "external_id", "role", "is_active", "locale", "timezone")

    def clean_external_id(self) -> str | None:
        return self.cleaned_data["external_id"] or None


class NewUserForm(UserForm):
    organization = forms.ModelChoiceField(
        Organization.objects.open(),
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text="Empty for platform staff, whom superusers appoint.",
    )
    password = forms.CharField(
        required=False, widget=UnfoldAdminPasswordWidget, help_text="Left empty, she sets one by a link."
    )

    class Meta:
        model = User
        fields = ("name", "email", "external_id", "role", "locale", "timezone")

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("organization") and not values.get("role"):
            raise ValidationError({"role": "A member of an organization has a role."})
        if not values.get("organization") and values.get("role"):
            raise ValidationError({"role": "Staff have no role. Choose the organization, or leave the role out."})
        return values


@admin.register(User)
class UserAdmin(ConsoleAdmin):
    list_display = ["name", "email", "organization", "role", "is_active", "is_staff"]
    list_select_related = ["organization"]
    list_filter = [
        ("organization", AutocompleteSelectFilter),
        ("role", ChoicesDropdownFilter),
        ("is_active", BooleanRadioFilter),
        ("is_staff", BooleanRadioFilter),
    ]
    search_fields = ["email__iexact", "external_id__exact", "name__startswith"]
    search_help_text = "The whole e-mail address or external id, or how the name begins."
    sortable_by = ()
    ordering = ["-id"]
    actions_detail = ["password_link"]

    def get_form(self, request: HttpRequest, obj: User | None = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs["form"] = UserForm if obj else NewUserForm
        return super().get_form(request, obj, change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        if obj is None:
            return ["organization", *NewUserForm.Meta.fields, "password"]
        own = list(UserForm.Meta.fields)
        return ["id", "organization", *own, "last_login", "created_at"]

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        if obj is None:
            return []
        fixed = ["id", "organization", "last_login", "created_at"]
        return [*fixed, "role", "external_id"] if obj.organization_id is None else fixed

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_staff = isinstance(obj, User) and obj.organization_id is None
        return bool(getattr(request.user, "is_superuser", False)) or not is_staff

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        actor = actor_of(request.user)
        values = form.cleaned_data
        if change:
            changes = {WIRE_NAMES[name]: values[name] for name in form.changed_data if name in WIRE_NAMES}
            if obj.organization_id is None:
                people.change_staff(obj.id, changes, actor=actor)
            else:
                people.change_person(obj.id, changes, actor=actor)
            return
        if values["organization"] is None:
            if not getattr(request.user, "is_superuser", False):
                raise PermissionDenied
            people.create_staff(obj, values["password"], actor=actor)
            return
        row = {WIRE_NAMES[name]: values[name] for name in NewUserForm.Meta.fields if values[name] is not None}
        if values["password"]:
            row["password"] = values["password"]
        try:
            saved = people.save_people(values["organization"].id, [row], actor=actor)
        except people.BadRows as exc:
            raise Invalid(exc.problems[0]) from exc
        obj.id, obj._state.adding = saved.people[0].id, False

    @action(description="Password link", url_path="password-link")
    def password_link(self, request: HttpRequest, object_id: str) -> HttpResponse:
        user = get_object_or_404(User, pk=object_id)
        question = Question(
            title=f"Mail {user.name} a link to set a password?",
            button="Mail it",
            says=[f"It goes to {user.email}, and is good for a day."],
            form=NothingForm,
        )

        def do(values: dict[str, Any]) -> str:
            passwords.send_link(user, actor=actor_of(request.user))
            return f"A link is on its way to {user.email}."

        return ask(request, self, question, do, change_url(user))
