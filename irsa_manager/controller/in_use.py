"""Why IAM won't delete a role: what is still on it, or who holds it."""

from __future__ import annotations

from irsa_manager.api.errors import AwsError
from irsa_manager.aws.calls import Aws
from irsa_manager.aws.snapshot import read_instance_profiles, read_role
from irsa_manager.controller.carry_out import Failure
from irsa_manager.controller.roles import RoleStore
from irsa_manager.plan import actions as do


def in_use(failure: Failure) -> bool:
    """Whether the failure is that a role couldn't be deleted because of something on it."""
    return failure.error.code == "RoleInUse" and isinstance(failure.action, do.DeleteRole)


async def still_on_it(aws: Aws, roles: RoleStore, failure: Failure) -> bool:
    """Whether the next run can take away what holds the role: something attached that wasn't known.

    The role is read again for that. Where there is nothing of that kind, the failure is given the names of the instance
    profiles that hold it, as far as they may be read. An AwsError on the way leaves the failure as it is.
    """
    assert isinstance(failure.action, do.DeleteRole)  # noqa: S101  (in_use() was asked)
    name = failure.action.role
    try:
        role = await read_role(aws, name)
        if role is None:
            # IAM refuses to delete it and doesn't show it: it may show it late.
            return True
        # IAM has just said that something is on it: that outweighs what was known.
        roles.believe(name, role)
        if role.attached or role.inline:
            return True
        profiles = await read_instance_profiles(aws, name)
    except AwsError:
        return False
    if profiles:
        failure.error.object = "instance profile " + ", ".join(profiles)
    return False
