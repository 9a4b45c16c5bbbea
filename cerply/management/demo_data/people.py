"""Who is in the demo. Ids are fixed, so that documentation and scripts can name them."""

from dataclasses import dataclass
from uuid import UUID

from cerply.permissions import Role

L, M, A, AUDITOR = Role.LEARNER, Role.MANAGER, Role.ADMIN, Role.AUDITOR


def demo_id(tail: str) -> UUID:
    """``00000000-0000-0000-0000-0000000000a1`` for ``a1``."""
    return UUID(tail.rjust(32, "0"))


@dataclass(frozen=True)
class Person:
    tail: str
    name: str
    role: Role = L
    timezone: str = "Europe/Oslo"
    locale: str = "en"
    # How much she does: answers a day, how many of them are correct, how fast. None: nothing at all.
    diligence: float | None = 0.5

    @property
    def id(self) -> UUID:
        return demo_id(self.tail)


@dataclass(frozen=True)
class DemoTeam:
    tail: str
    name: str
    managers: tuple[str, ...]
    members: tuple[str, ...]


@dataclass(frozen=True)
class DemoOrganization:
    tail: str
    name: str
    domain: str
    colour: str
    people: tuple[Person, ...]
    teams: tuple[DemoTeam, ...]


NORDLYS = DemoOrganization(
    "a1",
    "Nordlys Energi",
    "nordlys.example",
    "#0f5c7a",
    (
        Person("1", "Maya Lindqvist", diligence=0.8),
        Person("2", "Tomás Ferreira", M, diligence=0.3),
        Person("3", "Amina Yusuf", A, diligence=None),
        Person("4", "Kenji Sato", AUDITOR, "Asia/Tokyo", diligence=None),
        Person("9", "Noor de Vries", diligence=None),
        Person("11", "Bjørn Ødegård", diligence=0.9),
        Person("12", "Zoë Müller", timezone="Europe/Berlin", locale="de"),
        Person("13", "François L’Écuyer", timezone="Europe/Paris", locale="fr", diligence=0.4),
        Person("14", "ليلى حدّاد", timezone="Asia/Beirut", locale="ar", diligence=0.7),
        Person("15", "יעל כהן", timezone="Asia/Jerusalem", locale="he"),
        Person("16", "田中 陽子", timezone="Asia/Tokyo", locale="ja", diligence=0.95),
        Person("17", "王小明", timezone="Asia/Shanghai", locale="zh", diligence=0.6),
        Person("18", "김민준", timezone="Asia/Seoul", locale="ko", diligence=0.3),
        Person("19", "Søren Kjærgaard", timezone="Europe/Copenhagen", diligence=0.2),
        Person("20", "Ελένη Παπαδοπούλου", timezone="Europe/Athens", locale="el"),
        Person("21", "Олена Шевченко", timezone="Europe/Kyiv", locale="uk", diligence=0.7),
        Person("22", "Nguyễn Thị Hương", timezone="Asia/Ho_Chi_Minh", locale="vi"),
        Person("23", "Siobhán O’Connor", timezone="Europe/Dublin", diligence=0.4),
        Person("24", "João Gonçalves", timezone="America/Sao_Paulo", locale="pt-BR"),
        Person("25", "Ayşe Yıldız", timezone="Europe/Istanbul", locale="tr", diligence=0.1),
        Person("26", "Łukasz Wójcik", timezone="Europe/Warsaw", locale="pl"),
        Person("27", "Priya Raghunathan", M, "Asia/Kolkata", diligence=0.4),
        Person("28", "Ingrid Strømme", M, diligence=None),
    ),
    (
        DemoTeam("201", "Grid Operations", ("2",), ("1", "9", "11", "12", "13", "14", "15", "16")),
        DemoTeam("202", "Customer Care", ("27",), ("17", "18", "19", "20", "21", "25")),
        DemoTeam("203", "Wind Park Nord", ("28", "2"), ("1", "22", "23", "24", "26")),
    ),
)
HARBOUR = DemoOrganization(
    "b1",
    "Harbour & Sons Logistics",
    "harbour.example",
    "#7a3b0f",
    (
        Person("b2", "Grace Okonkwo", timezone="Europe/London", diligence=0.7),
        Person("b3", "Oliver Whitfield", M, "Europe/London", diligence=0.2),
        Person("b4", "Hannah Pryce", A, "Europe/London", diligence=None),
        Person("b5", "Matéo Dubois", timezone="Europe/Paris", locale="fr"),
        Person("b6", "عمر الفاروق", timezone="Africa/Cairo", locale="ar", diligence=0.4),
        Person("b7", "Chloë Janssens", timezone="Europe/Brussels", diligence=0.6),
        Person("b8", "李娜", timezone="Asia/Singapore", locale="zh", diligence=0.8),
        Person("b9", "Rhys Llewellyn", timezone="Europe/London", diligence=0.3),
        Person("ba", "Æthelred Smythe", timezone="Europe/London", diligence=0.1),
        Person("bb", "Małgorzata Nowak", timezone="Europe/Warsaw", locale="pl"),
    ),
    (
        DemoTeam("2b1", "Warehouse", ("b3",), ("b2", "b5", "b6", "b7")),
        DemoTeam("2b2", "Fleet", ("b3",), ("b8", "b9", "ba", "bb")),
    ),
)
ORGANIZATIONS = (NORDLYS, HARBOUR)

# Whose token is which.
TOKENS = {
    "demo-learner-token": "1",
    "demo-manager-token": "2",
    "demo-admin-token": "3",
    "demo-newcomer-token": "9",
    "demo-other-learner-token": "b2",
    "demo-other-manager-token": "b3",
    "demo-other-admin-token": "b4",
}
STAFF_EMAIL = "staff@cerply.example"
