"""How certificates look, for staff: a form, a preview, and the versions that there were."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import action
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from cerply.accounts import pictures
from cerply.accounts.models import Organization
from cerply.console import ReadOnlyAdmin, actor_of, change_url
from cerply.identifiers import parse_uuid
from certificates import previewing
from certificates.designs import (
    ALLOWED,
    LONGEST_TEXT,
    MOST_SIGNATORIES,
    Design,
    Signatory,
    change_design,
    check_text,
    signatories_of,
)
from certificates.models import CertificateDesign, Language, Layout
from certificates.models.designs import COLOUR

LONGEST_NAME = 80
SLOTS = range(1, MOST_SIGNATORIES + 1)


class PictureField(forms.FileField):
    """A picture, made anew and kept; the value is the name under which the storage has it."""

    folder = pictures.LOGOS

    def __init__(self, folder: str, **options: Any) -> None:
        self.folder = folder
        attributes = {"accept": "image/png,image/jpeg"}
        super().__init__(required=False, widget=forms.FileInput(attrs=attributes), **options)

    def clean(self, data: Any, initial: Any = None) -> str:
        upload = super().clean(data, None)
        return pictures.keep(pictures.remade(upload), self.folder) if isinstance(upload, UploadedFile) else ""


class ColourField(forms.RegexField):
    def __init__(self, **options: Any) -> None:
        says = {"invalid": "Give a colour as #rrggbb."}
        super().__init__(COLOUR, required=False, widget=UnfoldAdminTextInputWidget, error_messages=says, **options)


class DesignForm(forms.Form):
    organization = forms.ModelChoiceField(Organization.objects.open(), widget=UnfoldAdminSelectWidget)
    layout = forms.ChoiceField(choices=Layout.choices, widget=UnfoldAdminSelectWidget)
    colour = ColourField(help_text="Of lines, band and headings, as #rrggbb; empty: the organization's.")
    ink = ColourField(help_text="Of the learner's name, as #rrggbb; empty: nearly black.")
    logo = PictureField(pictures.LOGOS, help_text="PNG or JPEG, 1 MiB at most; empty: as it is, or the organization's.")
    remove_logo = forms.BooleanField(required=False, widget=UnfoldBooleanWidget, help_text="Take the organization's.")

    def __init__(self, *args: Any, before: CertificateDesign | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.before = before
        for slot in SLOTS:
            self._add_signatory(slot)
        for language in Language:
            self.fields[f"text_{language}"] = forms.CharField(
                label=f"Text in {language.label}",
                required=False,
                max_length=LONGEST_TEXT,
                widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
                validators=[check_text],
                help_text=f"A sentence of its own; it may have {ALLOWED}." if language is Language.ENGLISH else "",
            )
        self.fields["preview_language"] = forms.ChoiceField(
            choices=Language.choices, required=False, widget=UnfoldAdminSelectWidget, help_text="For the preview alone."
        )

    def _add_signatory(self, slot: int) -> None:
        self.fields[f"name_{slot}"] = forms.CharField(
            label=f"Signatory {slot}: name", required=False, max_length=LONGEST_NAME, widget=UnfoldAdminTextInputWidget
        )
        self.fields[f"title_{slot}"] = forms.CharField(
            label=f"Signatory {slot}: title", required=False, max_length=LONGEST_NAME, widget=UnfoldAdminTextInputWidget
        )
        self.fields[f"signature_{slot}"] = PictureField(
            pictures.SIGNATURES,
            label=f"Signatory {slot}: signature",
            help_text="PNG or JPEG; empty: as it is for the same name, else room to sign.",
        )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        for slot in SLOTS:
            if not values.get(f"name_{slot}") and (values.get(f"title_{slot}") or values.get(f"signature_{slot}")):
                self.add_error(f"name_{slot}", "Who signs? Give the name, or leave the others empty.")
        return values

    def design(self) -> Design:
        values = self.cleaned_data
        # Another organization's pictures are never taken over.
        before = self.before if self.before and self.before.organization == values["organization"] else None
        hands = {known.name: known.signature for known in (signatories_of(before) if before else ())}
        signatories = tuple(
            Signatory(
                name=values[f"name_{slot}"],
                title=values[f"title_{slot}"],
                signature=values[f"signature_{slot}"] or hands.get(values[f"name_{slot}"], ""),
            )
            for slot in SLOTS
            if values[f"name_{slot}"]
        )
        kept = before.logo if before and not values["remove_logo"] else ""
        return Design(
            layout=Layout(values["layout"]),
            colour=values["colour"],
            ink=values["ink"],
            logo=values["logo"] or kept,
            signatories=signatories,
            texts={language: values[f"text_{language}"] for language in Language},
        )


def initial_of(design: CertificateDesign) -> dict[str, Any]:
    """What the form shows of a version; pictures stay unless others are chosen."""
    values: dict[str, Any] = {
        "organization": design.organization_id,
        "layout": design.layout,
        "colour": design.colour,
        "ink": design.ink,
        **{f"text_{language}": text for language, text in design.texts.items()},
    }
    for slot, signatory in enumerate(signatories_of(design), start=1):
        values |= {f"name_{slot}": signatory.name, f"title_{slot}": signatory.title}
    return values


@admin.register(CertificateDesign)
class CertificateDesignAdmin(ReadOnlyAdmin):
    """Versions are read-only; adding one is how a design is changed."""

    list_display = ["organization", "number", "layout", "created_at"]
    list_select_related = ["organization"]
    list_filter = [("organization", AutocompleteSelectFilter)]
    search_fields = ["organization__name"]
    fields = ["organization", "number", "layout", "colour", "ink", "logo", "signatories", "texts", "created_at"]
    readonly_fields = ["created_at"]
    actions_detail = ["next_version"]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser or request.user.has_perm("certificates.add_certificatedesign"))

    @action(description="Change, as a new version", url_path="next")
    def next_version(self, request: HttpRequest, object_id: str) -> HttpResponse:
        add = reverse("admin:certificates_certificatedesign_add")
        return HttpResponseRedirect(f"{add}?from={object_id}")

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        before = self._before(parse_uuid(request.GET.get("from", "")))
        form = DesignForm(
            request.POST or None,
            request.FILES or None,
            before=before,
            initial=initial_of(before) if before else None,
        )
        if request.method == "POST" and form.is_valid():
            organization, design = form.cleaned_data["organization"], form.design()
            if "preview" in request.POST:
                language = Language(form.cleaned_data["preview_language"] or Language.ENGLISH)
                return HttpResponse(previewing.preview(organization, design, language), content_type="application/pdf")
            try:
                version = change_design(organization.id, design, actor=actor_of(request.user))
            except ValidationError as exc:
                form.add_error(None, exc)
            else:
                messages.success(request, f"Certificates of {organization} bear version {version.number} from now on.")
                return HttpResponseRedirect(change_url(version))
        context = {
            **self.admin_site.each_context(request),
            "title": "How certificates look",
            "form": form,
            "before": before,
            "back": reverse("admin:certificates_certificatedesign_changelist"),
            "opts": self.model._meta,
        }
        return TemplateResponse(request, "admin/design.html", context)

    def _before(self, design_id: UUID | None) -> CertificateDesign | None:
        """The version to start from."""
        if design_id is None:
            return None
        return CertificateDesign.objects.select_related("organization").filter(id=design_id).first()
