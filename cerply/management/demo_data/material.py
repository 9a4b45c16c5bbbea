"""What the people of the demo learn. The last two tracks are shared by all organizations."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DemoTrack:
    tail: str
    organization: str | None
    title: str
    items: tuple[str, ...]


TRACKS = (
    DemoTrack(
        "101",
        "a1",
        "Fire Safety Fundamentals",
        (
            "Which extinguisher for burning oil?",
            "What do you do first when the alarm sounds?",
            "Where is the assembly point?",
            "When may you use the lift?",
            "How often are escape routes checked?",
        ),
    ),
    DemoTrack(
        "102",
        "a1",
        "Data Protection",
        (
            "What is personal data?",
            "On which grounds may it be processed?",
            "How soon is a breach reported?",
            "Who answers a request for access?",
            "What does data minimisation mean?",
            "When is a processor's contract needed?",
        ),
    ),
    DemoTrack(
        "103",
        "a1",
        "Working at Height",
        (
            "From which height is fall protection required?",
            "Who inspects a harness?",
            "What does the anchor point hold?",
            "When is a ladder the wrong tool?",
        ),
    ),
    DemoTrack(
        "104",
        "b1",
        "Forklift Safety",
        (
            "Which checks come before the first drive?",
            "How high is the load while driving?",
            "Who has right of way at the dock?",
            "Where may passengers ride?",
            "How is a loaded truck parked?",
        ),
    ),
    DemoTrack(
        "105",
        None,
        "Information Security Basics",
        (
            "How do you tell a phishing mail?",
            "What makes a good password?",
            "When is a second factor needed?",
            "What do you do with a USB stick that you found?",
            "Whom do you tell of an incident?",
            "May a visitor use your badge?",
            "What is locked when you leave your desk?",
        ),
    ),
    DemoTrack(
        "106",
        None,
        "Giving and Taking Feedback",
        (
            "What does SBI stand for?",
            "When is the right moment?",
            "How do you take criticism?",
            "What makes praise useful?",
            "How do you prepare a difficult talk?",
            "What do you agree on at the end?",
            "How do you give feedback across cultures?",
            "When is a written note better?",
        ),
    ),
)
