"""The fields of a label selector, wherever a spec has one.

Kubernetes API reference, metav1.LabelSelector; each list is bounded, so that rules over it stay within CEL's limits.
"""

from __future__ import annotations

from irsa_manager.api import grammar
from irsa_manager.api.structural import Field, Rule


def label_selector(at: str) -> dict[str, Field]:
    """The fields below the selector at that path."""
    expressions = f"{at}.matchExpressions"
    return {
        f"{at}.matchLabels": Field(
            description="Labels that a namespace must have, with these values.",
            schema={"maxProperties": 16},
            rules=(grammar.keys("labels"),),
        ),
        f"{at}.matchLabels{{}}": Field(schema={"maxLength": 63}, rules=(grammar.LABEL_VALUE,)),
        expressions: Field(
            description="Conditions on labels, all of which must hold.",
            schema={"maxItems": 16, "x-kubernetes-list-type": "atomic"},
        ),
        f"{expressions}[]": Field(
            rules=(
                Rule(
                    expression=(
                        "self.operator in ['In', 'NotIn'] ? has(self.values) && size(self.values) > 0 : "
                        "!has(self.values) || size(self.values) == 0"
                    ),
                    message=(
                        "In and NotIn compare with values, Exists and DoesNotExist don't. Add values, take them out, "
                        "or change the operator."
                    ),
                ),
            )
        ),
        f"{expressions}[].key": Field(
            description="The label's key. Example: team.",
            schema={"minLength": 1, "maxLength": 317},
            rules=(grammar.LABEL_KEY,),
        ),
        f"{expressions}[].operator": Field(
            description="In, NotIn, Exists or DoesNotExist.",
            schema={"enum": ["In", "NotIn", "Exists", "DoesNotExist"]},
        ),
        f"{expressions}[].values": Field(
            description="Values for In and NotIn; none for Exists and DoesNotExist.",
            schema={"maxItems": 32, "x-kubernetes-list-type": "atomic"},
        ),
        f"{expressions}[].values[]": Field(schema={"maxLength": 63}),
    }
