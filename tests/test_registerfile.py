"""The registers file: every fault with file, entry and remedy; one canonical form; subscriptions that only narrow."""

import base64
from pathlib import Path

import pytest

from broker.core.model.identifiers import AgencyId, RecipientId, RoleName
from broker.core.model.registers import topic_of
from broker.errors import NotFoundError, RegistersError
from broker.policyfile import load_policy
from broker.registeredit import check_narrows, check_renames_nobody, with_school, with_subscription
from broker.registerfile import load_content, load_registers, registers_from_content

KEY = base64.b64encode(b"k" * 32).decode()
GOOD = f"""version = "1"

[[area]]
id = "E10000030"
name = "Eskshire"
hub = "hub"

[[agency]]
id = "E10000030"
name = "Eskshire Council"
sector = "COUNCILS"
area = "E10000030"
registers_people = true
principal = "council"

[[agency]]  # a school
id = "urn:100001"
name = "Esk School"
sector = "SCHOOLS"
area = "E10000030"

[[recipient]]
id = "hub"
name = "Hub"
agency = "E10000030"
area = "E10000030"
roles = ["hub"]

# the lead of the school
[[recipient]]
id = "dsl-100001"
name = "Lead"
agency = "urn:100001"
area = "E10000030"
roles = ["dsl"]
serves = ["urn:100001"]
alternate = "hub"

[[key]]
id = "urn:100001/1"
holder = "urn:100001"
public_key = "{KEY}"
since = 2026-09-01T00:00:00Z
"""
SPEAKS = """
[[agency.speaks_for]]
school = "urn:100002"
known_as = ["laestab:9994001"]
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "registers.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_sound_file_gives_registers_that_find_who_fills_a_role(tmp_path: Path) -> None:
    registers = load_registers(write(tmp_path, GOOD))

    assert registers.filling(RoleName("dsl"), "urn:100001") == ("dsl-100001",)
    [key] = registers.keys.values()
    assert (key.since, key.until, key.public_key) == (1_788_220_800_000, None, b"k" * 32)


def test_a_principal_is_written_as_kafka_writes_it_and_is_nothing_where_nobody_named_one(tmp_path: Path) -> None:
    """Registers that name none keep their digest: every version released before stays the one that it was."""
    registers = load_registers(write(tmp_path, GOOD))

    assert [one.principal for one in registers.agencies.values()] == ["User:council", None]
    assert b"principal" not in load_content(write(tmp_path, GOOD.replace('principal = "council"\n', "")))


def test_the_canonical_form_does_not_depend_on_the_order_of_entries_or_on_comments(tmp_path: Path) -> None:
    head, *entries = GOOD.split("\n[[")
    shuffled = "\n[[".join([head, *reversed(entries)])

    content = load_content(write(tmp_path, GOOD))
    assert load_content(write(tmp_path, shuffled)) == content
    assert registers_from_content(content).digest == load_registers(write(tmp_path, shuffled)).digest


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('hub = "hub"', 'hub = "nobody"', "area `E10000030`: hub `nobody` is no recipient"),
        ('sector = "SCHOOLS"', 'sector = "PRISONS"', "agency `urn:100001`: `sector`: input should be"),
        ('name = "Lead"', 'name = "Lead"\nmame = "x"', "recipient `dsl-100001`: `mame`: unknown key"),
        ('alternate = "hub"', 'alternate = "dsl-100001"', "is its own alternate"),
        ('alternate = "hub"', 'alternate = "gone"', "alternate `gone` is no recipient"),
        (KEY, "AAAA", "key `urn:100001/1`: `public_key`: is not an Ed25519 public key"),
        ("since = 2026-09-01T00:00:00Z", "since = 2026-09-01T00:00:00", "needs a time zone"),
        ('holder = "urn:100001"', 'holder = "urn:9"', "holder `urn:9` is no agency, recipient or administrator"),
        ('id = "hub"', 'id = "dsl-100001"', "recipient `dsl-100001`: stands more than once"),
        ('id = "dsl-100001"', 'id = "administrator:x"', "recipient `administrator:x`: `administrator` is who releases"),
        ('serves = ["urn:100001"]', 'serves = ["100001"]', "recipient `dsl-100001`: `serves`"),
        ('roles = ["dsl"]', "roles = []", "recipient `dsl-100001`: `roles`"),
        ('roles = ["dsl"]', 'roles = ["dsl"]\nsubscription = { roles = ["gp"] }', "subscribes to roles it does not fill (gp)"),
        ('alternate = "hub"', 'principal = "*"', "recipient `dsl-100001`: `principal`: is not one principal"),
        ('alternate = "hub"', 'principal = "User:ANONYMOUS"', "recipient `dsl-100001`: `principal`: is not one principal"),
        ('alternate = "hub"', 'principal = "esk"\nown_topic = false', "has a principal and no topic of its own to read"),
        ('sector = "SCHOOLS"', 'sector = "SCHOOLS"\nprincipal = "council"', "agency `E10000030` has the same principal"),
        ('alternate = "hub"', 'principal = "User:council"', "agency `E10000030` has the same principal"),
        ("[[agency]]  # a school", f"{SPEAKS}[[agency]]", "agency `E10000030`: speaks for schools and is none of their sector"),
        ("\n# the lead", f"{SPEAKS}{SPEAKS}# the lead", "`speaks_for` has `laestab:9994001` more than once"),
        ("\n# the lead", f'{SPEAKS.replace("laestab:", "lea:")}# the lead', "`speaks_for`.`0`.`known_as`.`0`"),
        ("\n# the lead", f'{SPEAKS.replace("urn:100002", "ods:A1")}# the lead', "`speaks_for`.`0`.`school`"),
        ('id = "dsl-100001"', f'id = "{"d" * 250}"', "its topic's name would have 265 signs, Kafka takes 249"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_file_entry_and_remedy(tmp_path: Path, old: str, new: str, said: str) -> None:
    file = write(tmp_path, GOOD.replace(old, new))

    with pytest.raises(RegistersError) as found:
        load_registers(file)

    assert said in str(found.value)
    assert all(line.startswith(f"registers file `{file}`: ") for line in str(found.value).splitlines())


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ("dsl:oak", "dsl_oak", "the same name"),
        ("dsl.oak", "dsl_oak", "to Kafka a dot and an underscore are as one"),
        ("dsl-é", "dsl-ü", "what Kafka takes in no name"),
    ],
)
def test_two_recipients_never_share_a_topic(tmp_path: Path, one: str, other: str, why: str) -> None:
    """I10: each would be permitted to read what was disclosed to the other."""
    second = f'\n[[recipient]]\nid = "{other}"\nname = "Other"\nagency = "urn:100001"\narea = "E10000030"\nroles = ["dsl"]\n'
    text = GOOD.replace('id = "dsl-100001"', f'id = "{one}"') + second

    with pytest.raises(RegistersError, match=f"recipient `{other}`: would share its topic with `{one}`"):
        load_registers(write(tmp_path, text))
    assert load_registers(write(tmp_path, text + "own_topic = false\n")), why


def test_a_topic_has_a_name_that_kafka_takes() -> None:
    assert topic_of("dsl:é/100001") == "disclosures.dsl___100001.v1"


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    broken = GOOD.replace('hub = "hub"', 'hub = "nobody"').replace('alternate = "hub"', 'alternate = "gone"')

    with pytest.raises(RegistersError) as found:
        load_registers(write(tmp_path, broken))

    assert len(str(found.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [("version =", "not TOML"), ("", "`version`"), ("version = " + "[" * 20_000, "not TOML: brackets in brackets")],
)
def test_a_file_that_is_none_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(RegistersError, match=said):
        load_registers(write(tmp_path, text))


def test_the_mark_that_some_editors_put_before_a_text_is_no_fault(tmp_path: Path) -> None:
    (file := tmp_path / "registers.toml").write_text(GOOD, encoding="utf-8-sig")

    assert load_content(file) == load_content(write(tmp_path, GOOD))


def test_a_subscription_is_written_beside_everything_else_as_it_stood(tmp_path: Path) -> None:
    file = write(tmp_path, GOOD)
    wanted = {"event_types": ["police.encompass.notified"], "roles": []}

    after = with_subscription(GOOD, RecipientId("dsl-100001"), wanted, file)
    again = with_subscription(after, RecipientId("dsl-100001"), {"event_types": [], "roles": []}, file)

    assert [line for line in after.splitlines() if line not in GOOD.splitlines()] == [
        'subscription = { event_types = ["police.encompass.notified"] }'
    ]
    assert again == GOOD
    entry = load_registers(write(tmp_path, after)).recipients[RecipientId("dsl-100001")]
    assert entry.subscription.event_types == {"police.encompass.notified"}


def test_a_subscription_written_as_a_table_is_replaced(tmp_path: Path) -> None:
    table = GOOD.replace('alternate = "hub"\n', 'alternate = "hub"\n[recipient.subscription]\nroles = ["dsl"]\n')
    wanted = {"event_types": ["police.encompass.notified"], "roles": []}

    after = with_subscription(table, RecipientId("dsl-100001"), wanted, write(tmp_path, table))

    assert load_registers(write(tmp_path, after)).recipients[RecipientId("dsl-100001")].subscription.roles == frozenset()


def test_nobody_unknown_can_subscribe(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no recipient `gp`"):
        with_subscription(GOOD, RecipientId("gp"), {"event_types": [], "roles": []}, tmp_path)


def test_a_subscription_cannot_ask_for_what_no_rule_gives(tmp_path: Path) -> None:
    lead = load_registers(write(tmp_path, GOOD)).recipients[RecipientId("dsl-100001")]
    policy = load_policy()

    check_narrows(lead, ["police.encompass.notified"], ["dsl"], policy)
    with pytest.raises(RegistersError) as found:
        check_narrows(lead, ["police.intelligence.held", "police.nothing"], ["gp"], policy)

    assert len(str(found.value).splitlines()) == 3


def test_a_desk_does_not_come_under_another_id_unseen(tmp_path: Path) -> None:
    """Whom a publisher keeps from hearing of a child it names by id: under another, the same people would hear."""
    before = load_registers(write(tmp_path, GOOD))
    renamed = GOOD.replace('id = "dsl-100001"', 'id = "lead-100001"')
    after = load_registers(write(tmp_path, renamed))
    without = load_registers(write(tmp_path, GOOD[: GOOD.index("# the lead")] + GOOD[GOOD.index("[[key]]") :]))

    check_renames_nobody(before, before)
    check_renames_nobody(before, without)
    check_renames_nobody(before, load_registers(write(tmp_path, f'retired = ["dsl-100001"]\n{renamed}')))
    with pytest.raises(RegistersError, match=r"`dsl-100001` is left out and `lead-100001` comes in its place"):
        check_renames_nobody(before, after)


ESK = AgencyId("urn:100001")


def test_a_feed_speaks_for_the_schools_that_are_entered_and_for_no_other(tmp_path: Path) -> None:
    file = write(tmp_path, GOOD)

    first = with_school(GOOD, ESK, "urn:100002", ["laestab:9994001"], file)
    second = with_school(first, ESK, "urn:100003", ["native:SCH3"], file)
    third = with_school(second, ESK, "urn:100002", ["laestab:9994001", "native:SCH2"], file)
    agency = load_registers(write(tmp_path, third)).agencies[ESK]

    assert [line for line in first.splitlines() if line not in GOOD.splitlines()] == SPEAKS.strip().splitlines()
    assert agency.speaks_for == {
        "urn:100002": {"laestab:9994001", "native:SCH2"},
        "urn:100003": {"native:SCH3"},
    }
    assert [agency.school_known_as(name) for name in ("native:SCH3", "native:SCH9", "laestab:9994001")] == [
        "urn:100003",
        None,
        "urn:100002",
    ]
    assert with_school(with_school(second, ESK, "urn:100003", [], file), ESK, "urn:100002", [], file) == GOOD


def test_of_a_feed_everything_else_stays_as_it_stood_and_nobody_unknown_speaks(tmp_path: Path) -> None:
    file = write(tmp_path, GOOD)
    inline = GOOD.replace('name = "Esk School"', 'name = "Esk School"\nspeaks_for = [{ school = "urn:100004" }]')

    with pytest.raises(NotFoundError, match="no agency `urn:9`"):
        with_school(GOOD, AgencyId("urn:9"), "urn:100002", ["native:S"], file)
    with pytest.raises(RegistersError, match="change it by hand"):
        with_school(inline, ESK, "urn:100002", ["native:S"], file)
    assert "# the lead of the school" in with_school(GOOD, ESK, "urn:100002", ["native:S"], file)


def test_registers_in_which_nobody_speaks_for_others_keep_their_digest(tmp_path: Path) -> None:
    assert b"speaks_for" not in load_content(write(tmp_path, GOOD))
