"""Whom an issuer's word makes of somebody: roles and names."""

from typing import Any

import pytest

from nexus.contract.roles import Role
from nexus.gateway.users.vouched import Roles, name_of


@pytest.mark.parametrize(
    ("groups", "before", "after"),
    [
        (["ops", "admins"], None, "admin"),
        ("ops admins", None, "admin"),
        (["admins"], "viewer", "admin"),
        (["ops"], None, "viewer"),
        (["ops"], "admin", "viewer"),
        (["ops"], "user", "user"),
        (None, "admin", "viewer"),
        ({"admins": True}, None, "viewer"),
        (["administrators"], None, "viewer"),
        ("admins2", None, "viewer"),
    ],
)
def test_a_role_by_group(groups: Any, before: Role | None, after: Role) -> None:
    assert Roles("groups", "admins", "viewer").of({"groups": groups}, before) == after


def test_without_a_group_roles_are_given_here() -> None:
    roles = Roles("groups", "", "user")
    assert [roles.of({"groups": ["", "admins"]}, before) for before in (None, "admin", "viewer")] == [
        "user",
        "admin",
        "viewer",
    ]


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"preferred_username": "ada", "email": "x@y"}, "ada"),
        ({"preferred_username": " ", "email": "ada@example.com"}, "ada@example.com"),
        ({"name": "Ada, Countess of Lovelace"}, "Ada-Countess-of-Lovelace"),
        ({"preferred_username": "../user:root\n"}, "user-root"),
        ({"preferred_username": 7, "sub": "s" * 99}, "s" * 50),
        ({"sub": "☃"}, "somebody"),
    ],
)
def test_a_name_for_people(claims: dict[str, Any], name: str) -> None:
    assert name_of(claims) == name
