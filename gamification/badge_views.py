"""Earned badges for outside: their credentials and pictures, and what others look up about a badge."""

from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from cerply.accounts.access import LearnerView
from cerply.errors import Gone, NotFound
from certificates.jsonld import CREDENTIALS_V2, OPEN_BADGES
from certificates.publishing import PublishedView
from gamification import badge_images, baking
from gamification.certifying import achievement, credential_of
from gamification.models import BadgeRule, LearnerBadge

TAGS = ["badges"]
ERASED = "The name was removed from this badge, and its credential with it. Copies of it can still be verified."


class EarnedBadgeView(LearnerView):
    """Not behind the switch: what she has earned, others rely on."""

    award: LearnerBadge

    def find(self) -> None:
        super().find()
        awards = LearnerBadge.objects.filter(learner=self.found_learner, badge__slug=self.kwargs["slug"])
        award = awards.select_related("badge", "rule__badge").first()
        if award is None:
            raise NotFound("She has not earned this badge.")
        self.award = award

    def document(self) -> str:
        document = credential_of(self.award, actor=self.caller.actor).document
        if not document:
            raise Gone(ERASED)
        return document

    def picture(self) -> str:
        return badge_images.svg(self.award.badge.name, self.award.badge.position)


class BadgeCredentialView(EarnedBadgeView):
    @extend_schema(
        operation_id="getBadgeCredential",
        summary="An earned badge as an Open Badges 3.0 credential",
        tags=TAGS,
        responses={(200, "application/vc"): OpenApiTypes.OBJECT, 410: OpenApiTypes.OBJECT},
    )
    def get(self, request: Request, learner_id: UUID, slug: str) -> HttpResponse:
        return HttpResponse(self.document(), content_type="application/vc")


class BakedPngView(EarnedBadgeView):
    @extend_schema(
        operation_id="getBadgePng",
        summary="An earned badge as a PNG with its credential baked in",
        tags=TAGS,
        responses={(200, "image/png"): OpenApiTypes.BINARY, 410: OpenApiTypes.OBJECT},
    )
    def get(self, request: Request, learner_id: UUID, slug: str) -> HttpResponse:
        baked = baking.bake_png(badge_images.png(self.picture()), self.document())
        return HttpResponse(baked, content_type="image/png")


class BakedSvgView(EarnedBadgeView):
    @extend_schema(
        operation_id="getBadgeSvg",
        summary="An earned badge as an SVG with its credential baked in",
        tags=TAGS,
        responses={(200, "image/svg+xml"): OpenApiTypes.BINARY, 410: OpenApiTypes.OBJECT},
    )
    def get(self, request: Request, learner_id: UUID, slug: str) -> HttpResponse:
        return HttpResponse(baking.bake_svg(self.picture(), self.document()), content_type="image/svg+xml")


class PublishedBadgeView(PublishedView):
    rule: BadgeRule

    def find(self) -> None:
        rules = BadgeRule.objects.select_related("badge", "track")
        rule = rules.filter(badge__slug=self.kwargs["slug"], version=self.kwargs["version"]).first()
        if rule is None:
            raise NotFound("There is no such badge.")
        self.rule = rule


class BadgeAchievementView(PublishedBadgeView):
    @extend_schema(
        operation_id="getBadgeAchievement",
        summary="What a badge is: its criteria, in this version",
        tags=["verification"],
        responses={(200, "application/json"): OpenApiTypes.OBJECT},
    )
    def get(self, request: Request, slug: str, version: int) -> Response:
        return Response({"@context": [CREDENTIALS_V2, OPEN_BADGES], **achievement(self.rule)})


class BadgePictureView(PublishedBadgeView):
    @extend_schema(
        operation_id="getBadgePicture",
        summary="The picture of a badge",
        tags=["verification"],
        responses={(200, "image/png"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, slug: str, version: int) -> HttpResponse:
        picture = badge_images.svg(self.rule.badge.name, self.rule.badge.position)
        return HttpResponse(badge_images.png(picture), content_type="image/png")
