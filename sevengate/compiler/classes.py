"""Which Ingresses are ours to serve.

Takes an Ingress, the IngressClasses and the options, and says yes or no, with a diagnostic where the answer might
surprise. The rules are ingress-nginx's: spec.ingressClassName first, then the old annotation, then neither
(https://kubernetes.io/docs/concepts/services-networking/ingress/#ingress-class). One is added: manifests that are
checked without any IngressClass beside them are judged by the class's name.
"""

from collections.abc import Mapping
from typing import Final

from sevengate.diagnostics import Report, Where
from sevengate.kube.objects import Ingress, IngressClass
from sevengate.settings import Options

#: The annotation from before Kubernetes 1.18 had a field for it.
CLASS_ANNOTATION: Final = "kubernetes.io/ingress.class"


class ClassSelection:
    """Decides whose an Ingress is."""

    def __init__(self, classes: Mapping[str, IngressClass], options: Options) -> None:
        self._options = options
        self._others = {name: of.controller for name, of in classes.items() if not self._is_ours(of)}
        self._ours = classes.keys() - self._others.keys()
        self._none_known = not classes

    def selects(self, ingress: Ingress, report: Report) -> bool:
        """Say whether the Ingress is ours, and report why not."""
        if ingress.ingress_class_name is not None:
            return self._selects_name(ingress.ingress_class_name, Where(ingress.ref, "spec.ingressClassName"), report)
        annotation = ingress.metadata.annotations.get(CLASS_ANNOTATION)
        if annotation is not None:
            return self._selects_annotation(
                annotation, Where(ingress.ref, f"metadata.annotations[{CLASS_ANNOTATION}]"), report
            )
        if not self._options.watch_ingress_without_class:
            report.warning(
                "ingress/no-class",
                Where(ingress.ref, "spec.ingressClassName"),
                "The Ingress names no class, so it is not served",
                hint=f"write `ingressClassName: {self._options.ingress_class}`, or start with "
                "--watch-ingress-without-class",
            )
        return self._options.watch_ingress_without_class

    def _selects_name(self, name: str, where: Where, report: Report) -> bool:
        if name in self._ours:
            return True
        if name in self._others:
            report.notice(
                "ingress/other-class", where, f"IngressClass {name} belongs to controller {self._others[name]}"
            )
            return False
        if self._none_known and name == self._options.ingress_class:
            report.notice(
                "ingress/class-not-found", where, f"There is no IngressClass {name}; its name is taken for ours"
            )
            return True
        if self._none_known:
            report.notice(
                "ingress/other-class", where, f"Class {name} is not ours, which is {self._options.ingress_class}"
            )
            return False
        report.warning(
            "ingress/class-not-found",
            where,
            f"There is no IngressClass {name}, so the Ingress is not served",
            hint=f"there is {', '.join(sorted(self._ours))}" if self._ours else "",
        )
        return False

    def _selects_annotation(self, name: str, where: Where, report: Report) -> bool:
        if name == self._options.ingress_class:
            return True
        report.notice(
            "ingress/other-class", where, f"Class {name!r} is not ours, which is {self._options.ingress_class}"
        )
        return False

    def _is_ours(self, ingress_class: IngressClass) -> bool:
        by_name = self._options.ingress_class_by_name and ingress_class.metadata.name == self._options.ingress_class
        return by_name or ingress_class.controller == self._options.controller_class
