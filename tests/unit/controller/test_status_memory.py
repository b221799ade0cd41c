"""What a status remembers while something is under way, so that a crash or a failure loses nothing."""

from __future__ import annotations

from msgspec.structs import replace

from irsa_manager.api.irsa import (
    IRSA,
    Adoption,
    BoundServiceAccount,
    Intent,
    IRSASpec,
    IRSAStatus,
    Record,
    RoleSpec,
    RoleStatus,
    ServiceAccountSpec,
)
from irsa_manager.api.kube import Metadata
from irsa_manager.controller import status as statuses
from irsa_manager.controller.foretelling import foretold
from irsa_manager.controller.resigning import Candidate, signed_anew
from irsa_manager.controller.roles import RoleStore
from irsa_manager.controller.signing import signed
from irsa_manager.controller.telling import Told
from irsa_manager.controller.view import ClusterView
from irsa_manager.plan.actions import CreateRole
from irsa_manager.plan.decision import Decision
from irsa_manager.plan.facts import ClusterFacts, NamespaceFact, Situation
from irsa_manager.plan.mark import MarkKeys, Whose
from irsa_manager.plan.observed import ObservedRole
from irsa_manager.plan.ownership import trusted_status, whose
from irsa_manager.plan.planner import decide

ACCOUNT, HOST, KEYS, NOW = "111122223333", "oidc.example.test/id/A", MarkKeys(b"k" * 32), "2026-01-01T00:00:00Z"
FACTS = ClusterFacts(
    partition="aws", account=ACCOUNT, issuer=f"https://{HOST}", host=HOST, cluster="c", operator_namespace="op"
)
THEIRS = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}}]}
BOUND = (BoundServiceAccount("a", "web", "Found", annotations=("eks.amazonaws.com/audience",)),)
WRONG = Told("AWSUnavailable", "It failed.")


def role(name: str, **more: object) -> ObservedRole:
    fields = {"trust": THEIRS, "attached": (), "inline": {}, "tags": {}, "boundary": "", **more}
    return ObservedRole(name=name, arn=f"arn:aws:iam::{ACCOUNT}:role/{name}", **{"id": f"AROA{name}", **fields})


def irsa(name: str, status: IRSAStatus) -> IRSA:
    """An object that names that role, with a status that is vouched for."""
    spec = IRSASpec(
        cleanup=True,
        service_account=ServiceAccountSpec(name="web", namespaces=("a",)),
        iam_role=RoleSpec(name=name),
    )
    bare = IRSA(Metadata(name="i", namespace="op", generation=2), spec, status)
    return IRSA(bare.metadata, spec, replace(status, record=signed(KEYS, bare, status)))


def adopted() -> IRSAStatus:
    return IRSAStatus(
        role=RoleStatus("old", f"arn:aws:iam::{ACCOUNT}:role/old", "AROAold", ACCOUNT, "Adopted"),
        adoption=Adoption(trust_policy=THEIRS, attached_policies=("arn:aws:iam::aws:policy/ReadOnlyAccess",)),
        kept_bindings=("b/other",),
        service_accounts=BOUND,
    )


def decided(obj: IRSA, *roles: ObservedRole) -> Decision:
    situation = Situation(
        facts=FACTS,
        keys=KEYS,
        namespaces={"a": NamespaceFact()},
        roles={r.name.lower(): r for r in roles},
        service_accounts={},
    )
    return decide(obj, situation)


def judged(
    obj: IRSA, decision: Decision, found: ObservedRole | None, *, whole: bool, unanswered: bool = False
) -> IRSAStatus:
    return statuses.judged(
        obj,
        decision,
        found,
        FACTS,
        KEYS,
        role_told=None if whole else WRONG,
        accounts_told=None,
        changed=True,
        whole=whole,
        unanswered=unanswered,
        now=NOW,
    )


def vouched_for(status: IRSAStatus) -> bool:
    return trusted_status(status, "op/i", ACCOUNT, KEYS) is status


def test_a_name_that_is_taken_makes_nobody_forget_what_an_adopted_role_had():
    status = replace(adopted(), retired_roles=(RoleStatus("older", origin="Created"),))
    obj = irsa("taken", status)
    decision = decided(obj, role("old"), role("taken"))
    assert decision.role_problem is not None
    after = judged(obj, decision, decision.role, whole=True)
    for field in ("role", "record", "adoption", "retired_roles", "kept_bindings"):
        assert getattr(after, field) == getattr(obj.status, field)
    assert vouched_for(after)


def test_a_role_whose_making_got_no_answer_is_claimed_by_its_intent():
    obj = irsa("new", IRSAStatus(intent=Intent("new", NOW, "mac")))
    after = judged(obj, decided(obj), None, whole=False, unanswered=True)
    assert after.intent == obj.status.intent
    claimed = statuses.claimed(IRSA(obj.metadata, obj.spec, after), role("new", id=""), FACTS, KEYS)
    assert claimed.intent == Intent()
    assert whose(role("new", id="", trust=None, tags=None), "op/i", ACCOUNT, KEYS, claimed) is Whose.MINE


def test_a_claim_keeps_what_was_bound_and_who_was_retired():
    retired = (RoleStatus("old", origin="Created"),)
    status = IRSAStatus(role=RoleStatus("new", account_id=ACCOUNT), retired_roles=retired, service_accounts=BOUND)
    signed = irsa("new", status)
    forged = IRSA(signed.metadata, signed.spec, replace(signed.status, record=Record("x")))
    for obj, origin, kept in ((signed, "Created", BOUND[0].annotations), (forged, "", ())):
        claimed = statuses.claimed(obj, role("new", id=""), FACTS, KEYS)
        assert [(r.name, r.origin) for r in claimed.retired_roles] == [("old", origin)]
        assert [b.annotations for b in claimed.service_accounts] == [kept]
        assert vouched_for(claimed)


def test_a_role_of_a_former_name_is_known_by_the_record_where_it_cannot_be_read():
    retired = (RoleStatus("old", id="AROAold", origin="Created"), RoleStatus("maybe"))
    obj = irsa("new", IRSAStatus(role=RoleStatus("new", account_id=ACCOUNT, origin="Created"), retired_roles=retired))
    unread = {"trust": None, "tags": None}

    def judge(found: ObservedRole, status: IRSAStatus = obj.status) -> Whose:
        return whose(found, "op/i", ACCOUNT, KEYS, status)

    assert judge(role("old", id="", **unread)) is Whose.MINE
    assert judge(role("old")) is Whose.MINE
    assert judge(role("old", id="AROAother")) is Whose.UNMARKED
    assert judge(role("maybe", id="", **unread)) is Whose.UNMARKED
    forged = replace(obj.status, retired_roles=(RoleStatus("theirs", id="AROAtheirs", origin="Created"),))
    assert judge(role("theirs"), forged) is Whose.UNMARKED
    assert judge(role("theirs", id="", **unread), forged) is Whose.UNMARKED


def test_that_an_administrator_has_signed_is_believed_of_his_signature_only():
    obj = irsa("mine", IRSAStatus(role=RoleStatus("mine", id="AROAmine", account_id=ACCOUNT, origin="Adopted")))
    vouched_for = IRSA(
        obj.metadata, obj.spec, replace(obj.status, record=signed(KEYS, obj, obj.status, over="unmarked"))
    )
    assert signed(KEYS, vouched_for, vouched_for.status).over == "unmarked"
    bare = replace(obj.status, record=signed(KEYS, obj, obj.status))
    forged = replace(bare, record=replace(bare.record, over="unmarked"))
    assert signed(KEYS, IRSA(obj.metadata, obj.spec, forged), forged).over == ""


def test_nothing_that_somebody_wrote_into_a_list_of_former_roles_is_ever_signed():
    written = (RoleStatus("theirs", id="AROAtheirs", origin="Created"),)
    obj = irsa("mine", IRSAStatus(role=RoleStatus("mine", account_id=ACCOUNT, origin="Created")))
    forged = IRSA(obj.metadata, obj.spec, replace(obj.status, retired_roles=written))
    decision = decided(forged)
    mine = role("mine", id="")
    candidate = Candidate(forged, mine, (), "")
    for after in (
        judged(forged, decision, mine, whole=True),
        judged(forged, decision, None, whole=False),
        foretold(forged, decision, FACTS, KEYS),
        statuses.claimed(forged, mine, FACTS, KEYS),
        signed_anew(candidate, FACTS, KEYS),
    ):
        assert after.record != Record()
        assert whose(role("theirs"), "op/i", ACCOUNT, KEYS, after) is Whose.UNMARKED
        assert whose(role("theirs", id="", trust=None, tags=None), "op/i", ACCOUNT, KEYS, after) is Whose.UNMARKED


def test_an_adopted_role_that_went_is_remembered_until_another_one_is_made():
    obj = irsa("old", adopted())
    decision = decided(obj)
    assert CreateRole in [type(action) for action in decision.plan.actions]
    for unanswered in (False, True):
        after = judged(obj, decision, None, whole=False, unanswered=unanswered)
        for field in ("role", "record", "adoption", "kept_bindings", "service_accounts"):
            assert getattr(after, field) == getattr(obj.status, field)
        assert vouched_for(after)
        assert after.conditions[0].reason == "AWSUnavailable"


def test_a_claim_keeps_the_inline_policies_that_were_about_to_be_put_on_the_role():
    found = role("new", id="", trust=None, inline=None)
    for before, kept in (("new", ("mine",)), ("other", ())):
        status = IRSAStatus(role=RoleStatus(before, account_id=ACCOUNT, inline_policies=("mine",)))
        claimed = statuses.claimed(irsa("new", status), found, FACTS, KEYS)
        assert claimed.role.inline_policies == kept
        assert vouched_for(claimed)


def test_a_signature_after_one_was_given_up_has_a_later_number():
    view = ClusterView(RoleStore())
    obj = irsa("mine", IRSAStatus(role=RoleStatus("mine", account_id=ACCOUNT, origin="Created")))
    view.irsas = {obj.key: obj}
    number = obj.status.record.serial
    assert number > 0
    assert view.believed(obj, KEYS) is obj
    given_up = IRSA(obj.metadata, obj.spec, statuses.given_up(obj, NOW))
    view.wrote(given_up)
    assert given_up.status.record == Record(serial=number)
    assert view.believed(given_up, KEYS) is given_up
    # Where somebody has cleared it, what was seen last counts.
    cleared = view.believed(IRSA(obj.metadata, obj.spec, IRSAStatus()), KEYS)
    assert cleared.status.record == Record(serial=number)
    for before in (given_up, cleared):
        after = judged(before, decided(before), role("mine"), whole=True)
        assert after.record.serial == number + 1
        taken_up = IRSA(obj.metadata, obj.spec, after)
        assert view.believed(taken_up, KEYS) is taken_up
    # And what was signed before is what was put back.
    assert view.believed(obj, KEYS).status.record == Record(serial=number + 1)
