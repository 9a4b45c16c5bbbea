"""People from a spreadsheet."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models.functions import Lower
from django.test.utils import CaptureQueriesContext

from audit.models import AuditEvent
from cerply.accounts.models import Membership, Team, User
from tests.factories import Cast, make_user

GOOD = """\
externalId,name,email,role,timezone,teams,manages
hr-1,Zoë Müller,zoe@example.com,,Europe/Berlin,Night|Day,
hr-2,王小明,wang@example.com,manager,,,Night

hr-3,"Łukasz, Wójcik",lukasz@example.com,,,Day,
"""


def run(path: Path, cast: Cast, **options: Any) -> tuple[str, str]:
    output, errors = StringIO(), StringIO()
    try:
        call_command(
            "import_people", str(path), organization=str(cast.organization.id), stdout=output, stderr=errors, **options
        )
    except CommandError as exc:
        errors.write(str(exc))
    return output.getvalue(), errors.getvalue()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text(GOOD)
    return path


def test_people_and_teams_are_made(cast: Cast, file: Path) -> None:
    assert run(file, cast) == ("3 people created, 0 updated, 2 teams made.\n", "")
    memberships = Membership.objects.filter(team__name__in=["Night", "Day"])
    assert set(memberships.values_list("user__name", "team__name", "role")) == {
        ("Zoë Müller", "Night", "member"),
        ("Zoë Müller", "Day", "member"),
        ("王小明", "Night", "manager"),
        ("Łukasz, Wójcik", "Day", "member"),
    }
    assert AuditEvent.objects.filter(type="people_imported").count() == 1


def test_again_it_is_an_update(cast: Cast, file: Path) -> None:
    run(file, cast)
    file.write_text("externalId;name;role\nhr-1;Zoe;admin\n")
    assert run(file, cast)[0] == "0 people created, 1 updated, 0 teams made.\n"
    user = User.objects.get(external_id="hr-1")
    assert (user.name, user.role, user.email) == ("Zoe", "learner", "zoe@example.com")


def test_a_dry_run_does_nothing(cast: Cast, file: Path) -> None:
    assert run(file, cast, dry_run=True)[0] == "It would be: 3 people created, 0 updated, 2 teams made.\n"
    assert not User.objects.filter(external_id="hr-1").exists()
    assert not Team.objects.filter(name="Night").exists()


def test_a_mark_at_the_beginning_is_passed_over(cast: Cast, file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert run(file, cast)[0].startswith("3 people")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"name,email\nA,nonsense\nB,b@example.com\nC,\n", ["line 2: email", "line 4: email"]),
        (
            b"name,email\nA,a@example.com\nB,A@example.com\n",
            ["line 3: email: This e-mail address is in the list twice"],
        ),
        (
            b"externalId,name,email\nz-1,A,a@example.com\nz-2,,b@example.com\nz-1,C,A@example.com\n",
            [
                "line 3: name: This field is required",
                "line 4: externalId: This external id is in the list twice",
                "line 4: email: This e-mail address is in the list twice",
            ],
        ),
        (b"name,email,timezone\nA,a@example.com,Mars\n", ["line 2: timezone"]),
        (b"name,email,manages\nA,a@example.com,Night\n", ["line 2: manages: only managers"]),
        (b"name,email,teams\nA,a@example.com,Day|N\aight\n", ["line 2: teams: 'N\\x07ight': Control characters"]),
        (b"name,email,teams\nA,a@example.com," + b"x" * 256 + b"\n", ["line 2: teams: 'xxx"]),
        (b"name,mail\nA,a@example.com\n", ["line 1: There is no column 'mail'"]),
        (b"name,name\nA,a@example.com\n", ["line 1: The column 'name' is there twice"]),
        (b"name,email\nA,a@example.com,more\n", ["line 2: 3 cells under 2 columns"]),
        (b'name,email\nA,"a@example.com\n', ["line 2: This is not CSV"]),
        (b"name,email\nA\xff,a@example.com\n", ["line 2: This is not UTF-8"]),
        (b"name,email\n", ["line 1: There is nobody"]),
        (b"", ["line 1: The file is empty"]),
    ],
)
def test_every_bad_line_is_named_and_nothing_is_imported(
    cast: Cast, file: Path, content: bytes, said: list[str]
) -> None:
    before = User.objects.count()
    file.write_bytes(content)
    output, errors = run(file, cast)
    assert output == ""
    for line in said:
        assert line in errors
    assert "Nothing was imported" in errors
    assert (User.objects.count(), Team.objects.filter(name="Night").count()) == (before, 0)


def test_an_address_of_somebody_else_is_refused(cast: Cast, file: Path) -> None:
    make_user(cast.organization, email="zoe@example.com")
    assert "line 2: email: Somebody in the organization has" in run(file, cast)[1]


def test_a_missing_file_and_organization_are_errors(cast: Cast, tmp_path: Path, file: Path) -> None:
    assert "cannot be read" in run(tmp_path / "none.csv", cast)[1]
    with pytest.raises(CommandError, match="Say which organization"):
        call_command("import_people", str(file))
    with pytest.raises(CommandError, match="no open organization"):
        call_command("import_people", str(file), organization="x")


def test_names_of_teams_are_the_same_where_the_database_says_so(cast: Cast, file: Path) -> None:
    Team.objects.create(organization=cast.organization, name="nacht")
    names = ["Nacht", "NACHT", "Izmir", "İzmir", "İZMİR", "straße", "STRASSE", "ΣΊΣΥΦΟΣ", "σίσυφος"]
    file.write_text(f"name,email,teams\nA,a@example.com,{'|'.join(names)}\nB,b@example.com,izmir|İZMİR\n")
    output, errors = run(file, cast)
    assert errors == ""
    keys = Team.objects.for_organization(cast.organization.id).values_list(Lower("name"), flat=True)
    assert len(keys) == len(set(keys))
    assert Team.objects.filter(name="nacht").get().memberships.count() == 1


def test_who_is_there_already_stays_and_is_not_audited_again(cast: Cast, file: Path) -> None:
    run(file, cast)
    before = set(Membership.objects.values_list("id", flat=True))
    run(file, cast)
    assert set(Membership.objects.values_list("id", flat=True)) == before
    assert AuditEvent.objects.filter(type="team_member_added").count() == 4
    assert AuditEvent.objects.filter(type="team_created").count() == 2


def test_many_lines_and_teams_cost_no_more_queries_than_one(cast: Cast, file: Path) -> None:
    def cost(number: int, prefix: str) -> int:
        lines = [f"{prefix}{n},P,{prefix}{n}@example.com,manager,{prefix}{n}|All,All" for n in range(number)]
        file.write_text("externalId,name,email,role,teams,manages\n" + "\n".join(lines))
        with CaptureQueriesContext(connection) as queries:
            output, errors = run(file, cast)
        assert (errors, output.startswith(f"{number} people created")) == ("", True)
        return len(queries)

    cost(1, "z")
    assert cost(300, "a") == cost(1, "b")
