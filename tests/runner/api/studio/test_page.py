"""Studio's page in a browser, on `comfyc serve` with the sandbox: what somebody who sits before it does."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import chromium
from live_server import LiveServer, live_server
from pictures import picture

pytestmark = pytest.mark.browser
TEMPLATE = "comfyc:checkpoint/text_to_image"
PATIENCE_MS = 120_000
LONG_RUN = "5000"
"""Sampler steps: more than a test waits for."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("studio"), api_keys="", sandbox_step_seconds="0.02") as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture
def visit(server: LiveServer, browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens a page. What its console complains of fails the test, unless `expected` matches it."""
    contexts: list[Any] = []
    complaints: list[str] = []
    allowed: list[str] = []

    def open_page(target: str = TEMPLATE, *, expected: str = "", width: int = 1280, **options: Any) -> Any:
        allowed.append(expected)
        context = browser.new_context(viewport={"width": width, "height": 820}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda line: complaints.append(line.text) if line.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{server.base}/studio#{target}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    unexpected = [text for text in complaints if not any(one and re.search(one, text) for one in allowed)]
    assert unexpected == []


def drawn(page: Any) -> Any:
    page.wait_for_selector("#canvas svg [data-node]")
    return page


def small(page: Any) -> Any:
    """The form set to a picture that is made at once."""
    for field, value in {"width": "256", "height": "256", "steps": "4"}.items():
        page.fill(f'[data-field="{field}"] input', value)
    return page


def shows(page: Any, node: str, text: str) -> None:
    """Waits until the drawing has that text in a node."""
    page.wait_for_selector(f'#node-{node} text:has-text("{text}")')


def run(page: Any, state: str = "Done") -> Any:
    page.evaluate("() => void (document.getElementById('doing').textContent = '')")  # what the run before it left
    page.click("#run")
    page.wait_for_function("state => document.getElementById('doing').textContent === state", arg=state)
    return page


WATCH = """selectors => {
  window.seen = new Set();
  const look = () => selectors.filter((one) => document.querySelector(one)).forEach((one) => window.seen.add(one));
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true, attributes: true });
}"""
"""Notes what was on the page, however short: a test that looks for it may come too late."""


def states(page: Any) -> dict[str, str]:
    """Node → state, of every node of the drawing."""
    return page.eval_on_selector_all(
        "#canvas [data-node]", "nodes => Object.fromEntries(nodes.map(n => [n.dataset.node, n.dataset.state || '']))"
    )


def fault_of(page: Any, field: str) -> str:
    place = page.locator(f'[data-field="{field}"] .fault:not([hidden])').first
    place.wait_for()
    return place.inner_text()


def test_the_graph_follows_the_form(visit: Callable[..., Any]) -> None:
    page = drawn(visit())
    assert page.locator("#target").input_value() == TEMPLATE
    page.get_by_label("prompt", exact=False).first.fill("a red door in the rain")
    page.wait_for_selector("#canvas text:has-text('a red door')")
    page.get_by_label("width").fill("512")
    shows(page, "latent", "512")
    page.select_option("#target", "ext:wan22-t2v")
    page.wait_for_selector("#node-sampler_high")
    assert "wan22-t2v" in page.inner_text("#about")
    assert page.locator('[data-field="duration"]').count() == 1
    assert page.locator('[data-field="file_id"]').count() == 0  # a field that it refuses
    page.fill('[data-field="width"] input', "500")
    page.fill('[data-field="negative_prompt"] textarea', "rain")
    page.wait_for_selector("#facts >> text=negative_prompt")  # what is not honoured is listed


def test_a_run_from_click_to_picture(visit: Callable[..., Any]) -> None:
    page = small(drawn(visit()))
    page.fill('[data-field="steps"] input', "100")
    on_the_way = ["#node-sampler.running text.steps", "#result img.preview"]
    page.evaluate(WATCH, on_the_way)
    page.click("#run")
    page.wait_for_selector("#result .output-image img")
    assert set(page.evaluate("[...window.seen]")) == set(on_the_way)
    assert (
        page.eval_on_selector("#result .output-image img", "image => image.decode().then(() => image.naturalWidth)")
        == 256
    )
    assert set(states(page).values()) <= {"done", "cached"}
    assert page.inner_text("#doing") == "Done"
    assert "Done" in page.inner_text("#said")
    assert "✓" in page.inner_html("#node-sampler")  # colours alone tell not everybody
    with page.expect_download() as saved:
        page.click("#downloads summary")
        page.click("[data-download=svg]")
    assert 'class="node done' not in saved.value.path().read_text()  # the graph, without what a job did to it
    assert page.locator("#jobs .state.succeeded").count() >= 1
    # again, with the seed that was drawn: the engine has everything but the file
    seed = page.locator("#result dd").nth(1).inner_text()
    page.fill('[data-field="seed"] input', seed)
    shows(page, "sampler", seed[:8])
    run(page)
    assert states(page)["sampler"] == "cached"


def test_faults_stand_at_their_fields(visit: Callable[..., Any]) -> None:
    page = drawn(visit(expected="400"))
    page.fill('[data-field="width"] input', "17")
    assert "multiple of" in fault_of(page, "width")
    assert page.get_attribute('[data-field="width"] input', "aria-invalid") == "true"
    page.click("#run")
    page.wait_for_function("() => document.activeElement.matches('[data-field=width] input')")
    page.fill('[data-field="width"] input', "512")
    page.wait_for_selector('[data-field="width"] .fault', state="hidden")
    page.click('[data-field="loras"] button')
    page.fill('[data-field="loras"] [data-field="id"] input', "nobody")
    page.fill('[data-field="loras"] [data-field="strength"] input', "99")
    assert "at most 10" in fault_of(page, "strength")
    page.click('[data-field="loras"] > .list-shell > button')  # and a row that nothing is in
    page.click('[data-field="loras"] > .list-shell > button')
    last = page.locator('[data-field="loras"] .list-row').last.locator
    last('[data-field="id"] input').fill("x")
    last('[data-field="strength"] input').fill("77")
    last('.fault:has-text("not 77")').wait_for()  # the server counts two rows, and means the third
    page.click('[data-field="loras"] [aria-label="Remove number 3 of loras"]')
    for _ in range(2):
        page.click('[data-field="loras"] [aria-label="Remove number 1 of loras"]')
    page.wait_for_selector("#problem", state="hidden")


def test_media_are_stood_in_for_until_one_is_chosen(visit: Callable[..., Any], tmp_path: Path) -> None:
    page = drawn(visit("ext:qwen-edit-advanced", expected="400"))
    shows(page, "load_input_image", "your-picture.png")
    page.click("#run")
    assert "required" in fault_of(page, "file_id")
    file = tmp_path / "cat.png"
    file.write_bytes(picture(size=(96, 64)))
    page.set_input_files('[data-field="file_id"] input[type=file]', file)
    page.wait_for_selector('[data-field="file_id"] img.thumb:not([hidden])')
    page.wait_for_selector('#canvas text:has-text("your-picture")', state="detached")
    page.fill('[data-field="target_size"] input', "256")
    run(page)
    page.wait_for_selector("#result .output-image img")


def test_lists_of_media_too(visit: Callable[..., Any]) -> None:
    page = drawn(visit("fusara:24", expected="400"))
    assert page.locator('#canvas text:has-text("your-picture.png")').count() == 1
    assert page.inner_text('[data-field="SkipImageAnalysis"] select >> css=:checked') == "not set"  # which is not false


class Held:
    """Answers that a page waits for, until they are let go."""

    def __init__(self, page: Any, pattern: str) -> None:
        self._page, self._pattern = page, pattern
        self._routes: list[Any] = []
        page.route(pattern, lambda route: self._routes.append(route))

    def come(self) -> None:
        """Waits until one is asked for."""
        while not self._routes:
            self._page.wait_for_timeout(20)

    def release(self) -> None:
        for route in self._routes:
            route.continue_()
        self._page.unroute(self._pattern)
        self._page.wait_for_load_state("networkidle")


def test_an_older_answer_is_never_shown(visit: Callable[..., Any]) -> None:
    page = drawn(visit(expected="503"))
    form = Held(page, "**/studio/form?target=ext*")
    page.select_option("#target", "ext:wan22-t2i")
    form.come()
    page.select_option("#target", "fusara:5")
    page.wait_for_selector('[data-field="Prompt"]')
    form.release()
    assert page.input_value("#target") == "fusara:5"
    assert page.locator('[data-field="Prompt"]').count() == 1
    drawing = Held(page, "**/studio/compile")
    page.fill('[data-field="Prompt"] textarea', "my own words")
    drawing.come()
    drop(page, "graph.json", b'{"1": {"class_type": "EmptyImage", "inputs": {}}}')
    page.wait_for_selector("#opened:not([hidden])")
    drawing.release()
    assert list(states(page)) == ["1"]
    page.click("#back")
    drawn(page)
    assert page.input_value('[data-field="Prompt"] textarea') == "my own words"
    page.select_option("#target", "comfyc:supir/image")  # takes a pack that the sandbox lacks
    page.wait_for_selector("#problem:not([hidden])")
    assert states(page) == {}  # not the graph of another form


def test_a_reload_and_the_way_back_lose_nothing(visit: Callable[..., Any]) -> None:
    page = small(drawn(visit()))
    page.fill('[data-field="steps"] input', LONG_RUN)
    shows(page, "sampler", LONG_RUN)
    page.click("#run")
    page.wait_for_selector("#node-sampler.running")
    page.reload()
    page.wait_for_selector("#node-sampler.running")
    page.click("#cancel")
    page.wait_for_function("() => document.getElementById('doing').textContent === 'Cancelled'")
    page.select_option("#target", "fusara:5")
    page.wait_for_selector('[data-field="Prompt"]')
    assert page.inner_text("#doing") == "Not run yet"
    page.go_back()
    page.wait_for_selector('[data-field="prompt"]')
    assert page.input_value('[data-field="steps"] input') == LONG_RUN


def test_a_line_that_went_dead_is_taken_up_again(visit: Callable[..., Any]) -> None:
    page = visit()
    page.clock.install()
    page.reload()
    small(drawn(page))
    line = Held(page, "**/events")
    page.click("#run")
    line.come()
    page.unroute("**/events")
    page.clock.fast_forward(60_000)
    page.wait_for_selector("#result .output-image img")


def test_sounds_have_room(visit: Callable[..., Any], tmp_path: Path) -> None:
    page = drawn(visit("comfyc:audio/separate"))
    file = tmp_path / "sound.wav"
    with wave.open(str(file), "wb") as sound:
        sound.setparams((2, 2, 44100, 0, "NONE", ""))
        sound.writeframes(bytes(44100))
    page.set_input_files('[data-field="audio"] input[type=file]', file)
    page.wait_for_selector('#canvas text:has-text("your-sound")', state="detached")
    run(page)
    page.wait_for_selector("#result audio")
    widths = page.eval_on_selector_all("#result audio", "all => all.map(one => one.clientWidth)")
    assert len(widths) == 2
    assert min(widths) > 250


def drop(page: Any, name: str, data: bytes) -> None:
    """A file let fall on the page."""
    page.evaluate(
        """([name, bytes]) => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], name));
          for (const kind of ["dragenter", "dragover", "drop"]) {
            document.body.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
          }
        }""",
        [name, list(data)],
    )


def test_a_dropped_workflow_is_converted_checked_and_drawn(visit: Callable[..., Any], tmp_path: Path) -> None:
    page = drawn(visit(expected="400"))
    with page.expect_download() as saved:
        page.click("#downloads summary")
        page.click("[data-download=workflow]")
    workflow = json.loads(saved.value.path().read_text())
    assert {node["type"] for node in workflow["nodes"]} >= {"KSampler", "SaveImage"}
    drop(page, "my <b>flow</b>.json", json.dumps(workflow).encode())
    page.wait_for_selector("#opened:not([hidden]) .verdict.good")
    assert "my <b>flow</b>.json" in page.inner_text("#opened")
    assert page.locator("#drop").is_hidden()
    graph = {"9": {"class_type": "KSampler", "inputs": {"seed": 1}}, "10": {"class_type": "Nothing", "inputs": {}}}
    page.set_input_files("#file", files=[{"name": "broken.json", "mimeType": "", "buffer": json.dumps(graph).encode()}])
    page.wait_for_selector("#opened .verdict.bad")
    page.wait_for_selector("[data-node='10'].missing")
    before = page.get_attribute("#canvas svg", "style")
    page.click("#opened button.place")  # leads to the node that it names
    assert page.get_attribute("#canvas svg", "style") != before
    assert "Nothing" in page.inner_text("#opened .fault-list")
    drop(page, "notes.txt", b"hello")
    page.wait_for_selector("#problem >> text=notes.txt")
    page.click("#back")
    page.wait_for_selector("#form:not([hidden])")
    page.wait_for_selector("#node-sampler")


def test_a_picture_that_comfyui_saved_opens_as_its_graph(visit: Callable[..., Any]) -> None:
    page = run(small(drawn(visit())))
    source = page.get_attribute("#result .output-image img", "src")
    data = page.evaluate("u => fetch(u).then(a => a.arrayBuffer()).then(b => [...new Uint8Array(b)])", source)
    drop(page, "result.png", bytes(data))
    page.wait_for_selector("#opened .verdict.good")
    assert "API graph" in page.inner_text("#opened")


def test_cancelling_and_coming_back(visit: Callable[..., Any]) -> None:
    page = small(drawn(visit()))
    page.fill('[data-field="prompt"] textarea', "a very long night")
    page.fill('[data-field="steps"] input', LONG_RUN)
    shows(page, "sampler", LONG_RUN)
    page.click("#run")
    page.wait_for_selector("#node-sampler.running")
    page.wait_for_selector("#jobs .state.running")
    page.evaluate("document.querySelector('#jobs .open').mine = true")  # a row that is pressed is not taken away
    # another page of the same person sees it, and takes it up where it is
    other = drawn(visit("ext:wan22-t2i"))
    other.locator("#jobs .open").first.click()
    other.wait_for_selector("#node-sampler.running")
    assert other.input_value('[data-field="prompt"] textarea') == "a very long night"
    page.click("#cancel")
    for one in (page, other):
        one.wait_for_function("() => document.getElementById('doing').textContent === 'Cancelled'")
        assert one.locator("#cancel").is_hidden()
        assert "running" not in states(one).values()
    page.wait_for_selector("#jobs li:first-child .state.cancelled")
    assert page.evaluate("document.querySelector('#jobs .open').mine")


def test_nothing_shown_becomes_markup(visit: Callable[..., Any]) -> None:
    page = small(drawn(visit()))
    hostile = '"><img src=x onerror="document.title=1"><script>document.title=2</script>{{ 7*7 }}'
    page.fill('[data-field="prompt"] textarea', hostile)
    page.fill('[data-field="negative_prompt"] textarea', hostile)
    page.wait_for_selector("#canvas text:has-text('onerror')")
    run(page)
    assert page.title() == "comfyc Studio"
    assert page.locator("#canvas img, #canvas script, #result script").count() == 0


def test_the_code_that_is_copied_works(visit: Callable[..., Any], server: LiveServer, tmp_path: Path) -> None:
    page = small(drawn(visit(permissions=["clipboard-read", "clipboard-write"])))
    page.fill('[data-field="prompt"] textarea', 'it\'s "quoted" $HOME \\ `x`\nñ 🦊')
    key = page.evaluate("sessionStorage.getItem('comfyc-key')")
    environment = {**os.environ, "COMFYC_KEY": key}
    copied: dict[str, str] = {}
    for kind in ("curl", "python"):
        page.click(f"[data-copy={kind}]")
        page.wait_for_function(
            "kind => document.querySelector(`[data-copy=${kind}]`).textContent === 'Copied'", arg=kind
        )
        copied[kind] = page.evaluate("navigator.clipboard.readText()")
        assert key not in copied[kind]
    script = tmp_path / "request.py"
    script.write_text(copied["python"], "utf-8")
    done = subprocess.run(
        [sys.executable, script], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.startswith(f"succeeded\n{server.base}/media/"), done.stderr
    made = subprocess.run(["bash", "-c", copied["curl"]], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(made.stdout)["request"]["prompt"] == page.input_value('[data-field="prompt"] textarea')


def test_the_keyboard_is_enough(visit: Callable[..., Any]) -> None:
    page = drawn(visit())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    order: list[str] = []
    for _ in range(60):
        page.keyboard.press("Tab")
        order.append(page.evaluate("document.activeElement.id || document.activeElement.textContent"))
        shown = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert shown != "none", order[-1]
        if order[-1] == "canvas":
            break
    assert order.index("target") < order.index("run") < order.index("open-file") < order.index("canvas")
    before = page.get_attribute("#canvas", "data-scale")
    page.keyboard.press("+")
    assert page.get_attribute("#canvas", "data-scale") > before
    unnamed = page.eval_on_selector_all(
        "input:not([type=file]), select, textarea, button",
        """all => all.filter(one => !(one.labels?.length || one.ariaLabel || one.textContent.trim()))
               .map(one => one.outerHTML)""",
    )
    assert unnamed == []
    small(page)
    page.keyboard.press("Control+Enter")
    page.wait_for_function("() => document.getElementById('doing').textContent === 'Done'")


def test_a_phone_scrolls_in_one_direction(visit: Callable[..., Any]) -> None:
    page = small(drawn(visit(width=360, is_mobile=True, has_touch=True)))
    wide = "document.documentElement.scrollWidth"
    assert page.evaluate(wide) == 360
    run(page)
    page.wait_for_selector("#result .output-image img")
    assert page.evaluate(wide) == 360
    page.evaluate("document.querySelectorAll('details').forEach(one => (one.open = true))")
    assert page.evaluate(wide) == 360
    page.evaluate("document.getElementById('downloads').open = false")
    for target in ("ext:wan22-i2v", "fusara:4"):
        page.select_option("#target", target)
        page.wait_for_function("target => location.hash === '#' + encodeURIComponent(target)", arg=target)
        assert page.evaluate(wide) == 360
    thin = page.eval_on_selector_all(
        "button, select, input:not([type=file]):not([type=checkbox]), summary",
        """all => all.filter(one => one.offsetParent && one.getBoundingClientRect().height < 20)
               .map(one => one.outerHTML)""",
    )
    assert thin == []


CONTRAST = """() => {
  const light = (text) => {
    const parts = text.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255)
      .map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const behind = (one) => {
    for (let here = one; here; here = here.parentElement) {
      const colour = getComputedStyle(here).backgroundColor;
      if (!/, 0\\)$|transparent/.test(colour)) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const texts = [...document.querySelectorAll('h1,h2,p,label,.label,.mark,button,summary,.state,strong,a,.hint')];
  return texts.filter((one) => one.offsetParent && one.textContent.trim() && !one.disabled).map((one) => {
    const [a, b] = [light(getComputedStyle(one).color), light(behind(one))].sort((x, y) => y - x);
    return [(a + 0.05) / (b + 0.05), one.textContent.trim().slice(0, 40)];
  }).filter(([ratio]) => ratio < 4.5);
}"""
"""Texts with less contrast than WCAG 2.2 asks for at this size (AA)."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_light_and_dark(visit: Callable[..., Any], scheme: str) -> None:
    page = run(small(drawn(visit(color_scheme=scheme))))
    page.wait_for_selector("#jobs .state.succeeded")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", ground))) < 150) is (scheme == "dark")
    assert page.evaluate(CONTRAST) == []


def test_elsewhere_the_page_asks_for_a_key(visit: Callable[..., Any], server: LiveServer) -> None:
    page = drawn(visit("", expected="401"))  # once it is drawn, nothing more asks for a key
    key = page.evaluate("fetch('/studio/session').then(a => a.json()).then(a => a.key)")
    page.evaluate("sessionStorage.clear()")
    page.route("**/studio/session", lambda route: route.fulfill(status=401, json={"message": "no", "code": "no"}))
    page.reload()
    page.wait_for_selector("#key[open]")
    for wrong in ("ключ", "ext_wrong"):  # the first is more than a header can carry
        page.fill("#key-text", wrong)
        page.keyboard.press("Enter")
        page.wait_for_selector("#key-fault:not([hidden])")
        page.evaluate("document.getElementById('key-fault').hidden = true")
    page.fill("#key-text", key)
    page.keyboard.press("Enter")
    drawn(page)
    assert page.locator("#key[open]").count() == 0
    assert page.context.cookies() == []
    assert page.evaluate("Object.keys(localStorage)") == []
    assert key not in page.content()
