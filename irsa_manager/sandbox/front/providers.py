"""OpenID Connect providers, with the operations that the emulator lacks.

Source: IAM API Reference, CreateOpenIDConnectProvider and its siblings; adding a client id that is there and removing
one that isn't are no errors, and duplicates are folded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

from irsa_manager.sandbox.front import names, paging, tags
from irsa_manager.sandbox.front.answers import Answer, Refused, success
from irsa_manager.sandbox.front.authorization import Authorization
from irsa_manager.sandbox.front.quotas import FIXED, Quotas, exceeded
from irsa_manager.sandbox.front.store import Operation, Parameters, Store

NO_THUMBPRINT: Final = "0" * 40
"""Stored where none was given: IAM would fetch the CA's; it is used only for issuers whose CA AWS doesn't know."""

_URL: Final = re.compile(
    r"https://(?P<host>[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?)(?P<port>:\d{1,5})?(?P<path>(/[!-~]*)?)", re.ASCII
)
_RESERVED: Final = frozenset("?#")


class Providers:
    """The operations on OpenID Connect providers."""

    def __init__(self, store: Store, quotas: Quotas, authorization: Authorization) -> None:
        self._store = store
        self._quotas = quotas
        self._authorization = authorization

    def operations(self) -> Mapping[str, Operation]:
        """By the operations' names."""
        return {
            "CreateOpenIDConnectProvider": self.create,
            "GetOpenIDConnectProvider": self.get,
            "ListOpenIDConnectProviders": self.list,
            "DeleteOpenIDConnectProvider": self.delete,
            "AddClientIDToOpenIDConnectProvider": self.add_client,
            "RemoveClientIDFromOpenIDConnectProvider": self.remove_client,
            "UpdateOpenIDConnectProviderThumbprint": self.update_thumbprints,
            "TagOpenIDConnectProvider": self.tag,
            "UntagOpenIDConnectProvider": self.untag,
            "ListOpenIDConnectProviderTags": self.list_tags,
        }

    def create(self, parameters: Parameters) -> Answer:
        """CreateOpenIDConnectProvider: nothing of the issuer is contacted."""
        host_path = host_and_path(names.required(parameters, "Url", names.PROVIDER_URL))
        clients = _clients(names.listed(parameters, "ClientIDList"))
        thumbprints = _thumbprints(names.listed(parameters, "ThumbprintList")) or [NO_THUMBPRINT]
        given = tags.given(parameters)
        tagged = tags.merge([], given, fold=False)
        arn = f"arn:aws:iam::{self._store.account}:oidc-provider/{host_path}"
        if given:
            self._authorization.require("iam:TagOpenIDConnectProvider", arn, parameters)
        providers = self._store.iam._oidc_providers
        if arn in providers:
            raise Refused("EntityAlreadyExists", f"Provider with url https://{host_path} already exists.", 409)
        self._quotas.check("OpenIdConnectProvidersPerAccount", len(providers) + 1)
        providers[arn] = {
            "Url": f"https://{host_path}",
            "ClientIDList": clients,
            "ThumbprintList": thumbprints,
            "Arn": arn,
            "CreateDate": self._store.iam._now(),
            "Tags": tagged,
        }
        return success("CreateOpenIDConnectProvider", {"OpenIDConnectProviderArn": arn, "Tags": tagged or None})

    def get(self, parameters: Parameters) -> Answer:
        """GetOpenIDConnectProvider; the URL comes back without https://, as AWS gives it."""
        provider = self._provider(parameters)
        return success(
            "GetOpenIDConnectProvider",
            {
                "Url": provider["Url"].removeprefix("https://"),
                "ClientIDList": provider["ClientIDList"],
                "ThumbprintList": provider["ThumbprintList"],
                "CreateDate": provider["CreateDate"],
                "Tags": provider["Tags"],
            },
        )

    def list(self, parameters: Parameters) -> Answer:
        """ListOpenIDConnectProviders: ARNs only."""
        arns = sorted(self._store.iam._oidc_providers)
        return success("ListOpenIDConnectProviders", {"OpenIDConnectProviderList": [{"Arn": arn} for arn in arns]})

    def delete(self, parameters: Parameters) -> Answer:
        """DeleteOpenIDConnectProvider; roles that trust it stay as they are."""
        self._store.iam._oidc_providers.pop(self._provider(parameters)["Arn"])
        return success("DeleteOpenIDConnectProvider")

    def add_client(self, parameters: Parameters) -> Answer:
        """AddClientIDToOpenIDConnectProvider."""
        provider = self._provider(parameters)
        wanted = names.required(parameters, "ClientID", names.CLIENT_ID)
        provider["ClientIDList"] = _clients([*provider["ClientIDList"], wanted])
        return success("AddClientIDToOpenIDConnectProvider")

    def remove_client(self, parameters: Parameters) -> Answer:
        """RemoveClientIDFromOpenIDConnectProvider."""
        provider = self._provider(parameters)
        gone = names.required(parameters, "ClientID", names.CLIENT_ID)
        provider["ClientIDList"] = [client for client in provider["ClientIDList"] if client != gone]
        return success("RemoveClientIDFromOpenIDConnectProvider")

    def update_thumbprints(self, parameters: Parameters) -> Answer:
        """UpdateOpenIDConnectProviderThumbprint: replaces all; an empty list is refused."""
        provider = self._provider(parameters)
        thumbprints = _thumbprints(names.listed(parameters, "ThumbprintList"))
        if not thumbprints:
            raise Refused("InvalidInput", "Thumbprint list must contain at least one entry.")
        provider["ThumbprintList"] = thumbprints
        return success("UpdateOpenIDConnectProviderThumbprint")

    def tag(self, parameters: Parameters) -> Answer:
        """TagOpenIDConnectProvider."""
        provider = self._provider(parameters)
        given = tags.given(parameters)
        if not given:
            raise Refused("InvalidInput", "The list of tags must not be empty.")
        provider["Tags"] = tags.merge(provider["Tags"], given, fold=False)
        return success("TagOpenIDConnectProvider")

    def untag(self, parameters: Parameters) -> Answer:
        """UntagOpenIDConnectProvider."""
        provider = self._provider(parameters)
        keys = names.listed(parameters, "TagKeys")
        if not keys:
            raise Refused("InvalidInput", "The list of tag keys must not be empty.")
        provider["Tags"] = tags.without(provider["Tags"], keys, fold=False)
        return success("UntagOpenIDConnectProvider")

    def list_tags(self, parameters: Parameters) -> Answer:
        """ListOpenIDConnectProviderTags."""
        ordered = sorted(self._provider(parameters)["Tags"], key=lambda tag: str(tag["Key"]))
        found, more = paging.page(ordered, lambda tag: str(tag["Key"]), parameters)
        return success("ListOpenIDConnectProviderTags", {"Tags": found, **more})

    def _provider(self, parameters: Parameters) -> dict[str, Any]:
        arn = names.required(parameters, "OpenIDConnectProviderArn", names.PROVIDER_ARN)
        provider = self._store.iam._oidc_providers.get(arn)
        if provider is None:
            raise Refused("NoSuchEntity", f"OpenIDConnect Provider not found for arn {arn}", 404)
        return cast("dict[str, Any]", provider)


def host_and_path(url: str) -> str:
    """A provider's URL as its ARN holds it; port 443 is left out, case and a trailing slash stay.

    Raises:
        Refused: not https, no host name, a query or a fragment.

    """
    match = _URL.fullmatch(url)
    if not match or _RESERVED & set(url):
        raise Refused("InvalidInput", "Invalid Open ID Connect Provider URL")
    port = "" if match["port"] in (None, ":443") else match["port"]
    return f"{match['host']}{port}{match['path']}"


def _clients(listed: Iterable[str]) -> list[str]:
    clients = list(dict.fromkeys(names.CLIENT_ID.check(client) for client in listed))
    most = FIXED["ClientIdsPerOpenIdConnectProvider"]
    if len(clients) > most:
        raise exceeded("ClientIdsPerOpenIdConnectProvider", most)
    return clients


def _thumbprints(listed: Iterable[str]) -> list[str]:
    thumbprints = [names.THUMBPRINT.check(one) for one in listed]
    if len(thumbprints) > FIXED["ThumbprintsPerOpenIdConnectProvider"]:
        raise Refused("InvalidInput", "Thumbprint list must contain fewer than 5 entries.")
    return thumbprints
