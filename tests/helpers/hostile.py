"""Texts that would run in a careless page, and the proof that none did."""

from tests.helpers.browser import Watched

RUN = "window.ran=1"
HOSTILE = [
    f"<script>{RUN}</script>",
    f"</script><script>{RUN}</script>",
    f"<img src=x onerror={RUN}>",
    f'"><svg onload="{RUN}">',
    f"<svg><script>{RUN}</script></svg>",
    f"<iframe srcdoc='<script>parent.{RUN}</script>'></iframe>",
    f"<a href='javascript:{RUN}'>click</a>",
    f"javascript:{RUN}",
    f"<body onload={RUN}>",
    f"<details open ontoggle={RUN}>x</details>",
    f"<input autofocus onfocus={RUN}>",
    "<style>@import 'http://192.0.2.1/x';</style><link rel=stylesheet href=http://192.0.2.1/y>",
    "<meta http-equiv=refresh content='0;url=http://192.0.2.1/'>",
    "<base href=http://192.0.2.1/><form action=http://192.0.2.1/><button>go</button></form>",
    f"<object data='data:text/html,<script>{RUN}</script>'></object>",
    f"<template><script>{RUN}</script></template><math><mtext></math>",
    f"<!--><img src=x onerror={RUN}>-->",
    f"<noscript><p title='</noscript><img src=x onerror={RUN}>'>",
    f"${{{RUN}}} {{{{constructor.constructor('{RUN}')()}}}}",
    "\u202eabc\u202d \u2028 \u0000 \ufeff &lt;script&gt; &#x3c;script&#x3e;",
    f"</textarea></title><script>{RUN}</script>",
]


def harmless(watched: Watched) -> None:
    """Nothing ran, nothing was asked elsewhere, no element came from a text."""
    page = watched.page
    assert page.evaluate("window.ran") is None
    assert watched.errors == []
    assert watched.outside() == []
    inside = "script, img, svg, iframe, object, style, link, meta, base, template, math, a[href^='javascript:' i]"
    assert page.evaluate(f'document.body.querySelectorAll("{inside}").length') == 0
