"""The lint of names."""

from words import lint

INSTEAD = {"told": "settings", "Together": "Coalescer"}


def test_identifiers_are_found_in_code_and_never_in_prose() -> None:
    source = '"""What is told."""\ntold = 1  # told again\nx.Together(told="told")\n'
    assert lint.identifiers(source) & INSTEAD.keys() == {"told", "Together"}
    assert not lint.identifiers('"""told"""\n# told\n') & INSTEAD.keys()


def test_a_replaced_name_is_wrong_unless_it_is_allowed_and_the_allowance_must_be_needed() -> None:
    used = {"a.py": {"told"}, "b.py": {"told", "Together"}}
    permitted = {"b.py": {"told", "Together"}, "c.py": {"told"}}
    assert lint.wrong_names(used, permitted, INSTEAD) == [
        "a.py: told: write settings",
        "c.py: told is allowed in allowed.toml but not used",
    ]


def test_the_sources_pass_the_lint() -> None:
    instead = lint.replacements()
    assert not lint.wrong_names(lint.uses_of(set(instead)), lint.allowed(), instead)
    assert not lint.class_names_used_twice()
