"""What stands on a certificate, in each of its languages.

A mapping rather than gettext: the set is closed and small, it is part of what is frozen (a page that is rendered again
must have the same bytes), and nothing has to be compiled before it works. Dates are written by Django, whose own
catalogues come compiled.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from django.utils import dateformat, translation

from certificates.models import Language, Source


@dataclass(frozen=True, kw_only=True)
class Wording:
    """The phrases stand around the names, so that no language has to bend one: "<certifies> NAME <completed> TITLE"."""

    kind: str
    certifies: str
    completed: str
    basis: Mapping[Source, str]
    issued: str
    valid_until: str
    no_expiry: str
    number: str
    check: str
    document_title: str
    logo: str
    code: str
    signature: str
    date: str
    """As `django.utils.dateformat` spells it."""
    right_to_left: bool = False


WORDING = {
    Language.ENGLISH: Wording(
        kind="Certificate of completion",
        certifies="This is to certify that",
        completed="has completed",
        basis={
            Source.SELF: "Based on answers recorded by the learner.",
            Source.SYSTEM: "Based on answers recorded by the organization’s systems.",
            Source.OUTSIDE: "Completed outside Cerply, as confirmed by the organization.",
        },
        issued="Issued",
        valid_until="Valid until",
        no_expiry="No expiry",
        number="Certificate number",
        check="Scan the code or visit this address to see whether the certificate is genuine and still valid:",
        document_title="Certificate: {track} – {learner}",
        logo="Logo of {organization}",
        code="QR code of the address at which this certificate can be checked",
        signature="Signature of {name}",
        date="j F Y",
    ),
    Language.GERMAN: Wording(
        kind="Zertifikat",
        certifies="Hiermit wird bescheinigt:",
        completed="hat erfolgreich abgeschlossen",
        basis={
            Source.SELF: "Grundlage: Antworten, die die lernende Person selbst erfasst hat.",
            Source.SYSTEM: "Grundlage: Antworten, die die Systeme der Organisation erfasst haben.",
            Source.OUTSIDE: "Außerhalb von Cerply abgeschlossen, wie die Organisation bestätigt.",
        },
        issued="Ausgestellt",
        valid_until="Gültig bis",
        no_expiry="Unbefristet",
        number="Zertifikatsnummer",
        check="Ob das Zertifikat echt und noch gültig ist, zeigt der Code oder diese Adresse:",
        document_title="Zertifikat: {track} – {learner}",
        logo="Logo von {organization}",
        code="QR-Code der Adresse, unter der dieses Zertifikat geprüft werden kann",
        signature="Unterschrift von {name}",
        date="j. F Y",
    ),
    Language.FRENCH: Wording(
        kind="Certificat de fin de formation",
        certifies="Nous certifions que",
        completed="a achevé avec succès",
        basis={
            Source.SELF: "Sur la base de réponses enregistrées par la personne elle-même.",
            Source.SYSTEM: "Sur la base de réponses enregistrées par les systèmes de l’organisation.",
            Source.OUTSIDE: "Formation achevée hors de Cerply, comme le confirme l’organisation.",
        },
        issued="Délivré le",
        valid_until="Valable jusqu’au",
        no_expiry="Sans limite de validité",
        number="Numéro du certificat",
        check="Le code ou cette adresse indique si le certificat est authentique et toujours valable :",
        document_title="Certificat : {track} – {learner}",
        logo="Logo de {organization}",
        code="Code QR de l’adresse à laquelle ce certificat peut être vérifié",
        signature="Signature de {name}",
        date="j F Y",
    ),
    Language.SPANISH: Wording(
        kind="Certificado de finalización",
        certifies="Se certifica que",
        completed="ha completado con éxito",
        basis={
            Source.SELF: "Basado en respuestas registradas por la propia persona.",
            Source.SYSTEM: "Basado en respuestas registradas por los sistemas de la organización.",
            Source.OUTSIDE: "Completado fuera de Cerply, según confirma la organización.",
        },
        issued="Emitido el",
        valid_until="Válido hasta el",
        no_expiry="Sin vencimiento",
        number="Número de certificado",
        check="El código o esta dirección indican si el certificado es auténtico y sigue siendo válido:",
        document_title="Certificado: {track} – {learner}",
        logo="Logotipo de {organization}",
        code="Código QR de la dirección en la que se puede comprobar este certificado",
        signature="Firma de {name}",
        date=r"j \d\e F \d\e Y",
    ),
    Language.ARABIC: Wording(
        kind="شهادة إتمام",
        certifies="نشهد بإتمام",
        completed="للمسار التدريبي",
        basis={
            Source.SELF: "استنادًا إلى إجابات مسجّلة ذاتيًا.",
            Source.SYSTEM: "استنادًا إلى إجابات سجّلتها أنظمة المؤسسة.",
            Source.OUTSIDE: "أنجز خارج Cerply بتأكيد من المؤسسة.",
        },
        issued="تاريخ الإصدار",
        valid_until="صالحة حتى",
        no_expiry="بلا تاريخ انتهاء",
        number="رقم الشهادة",
        check="امسح الرمز أو افتح هذا العنوان للتحقق من صحة الشهادة وسريانها:",
        document_title="شهادة: {track} – {learner}",
        logo="شعار {organization}",
        code="رمز الاستجابة السريعة للعنوان الذي يمكن فيه التحقق من هذه الشهادة",
        signature="توقيع {name}",
        date="j F Y",
        right_to_left=True,
    ),
    Language.JAPANESE: Wording(
        kind="修了証書",
        certifies="次の方が下記の課程を修了したことを証明します",
        completed="修了した課程",
        basis={
            Source.SELF: "学習者本人が記録した解答に基づきます。",
            Source.SYSTEM: "組織のシステムが記録した解答に基づきます。",
            Source.OUTSIDE: "Cerply以外で修了したことを組織が確認しています。",
        },
        issued="発行日",
        valid_until="有効期限",
        no_expiry="期限なし",
        number="証書番号",
        check="この証書が真正で現在も有効かどうかは、コードまたは次のアドレスで確認できます。",
        document_title="修了証書：{track} – {learner}",
        logo="{organization}のロゴ",
        code="この証書を確認できるアドレスのQRコード",
        signature="{name}の署名",
        date="Y年n月j日",
    ),
}


def language_of(locale: str) -> Language:
    """The language of a certificate for a learner of this locale (a BCP 47 tag): English where we have not hers."""
    primary = locale.replace("_", "-").partition("-")[0].lower()
    return Language(primary) if primary in Language.values else Language.ENGLISH


def date(moment: datetime, language: Language) -> str:
    """The day that it is in UTC."""
    with translation.override(language):
        return dateformat.format(moment.astimezone(UTC), WORDING[language].date)
