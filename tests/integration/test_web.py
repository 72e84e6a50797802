"""The pages in a real browser that has JavaScript switched off, served by the process that serves them."""

import itertools
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime

import httpx
import msgspec
import pytest
from msgspec.structs import replace
from ruamel.yaml import YAML

from configs.settings import PROJECT
from console.web.why import alone
from serving.security.keys import KeyFile, new_key
from tasks.audit.why import asked_of
from tasks.people import Person, key_id_of, put_person
from tasks.review.decide import override
from tasks.review.queue import standing
from tests.integration.conftest import own_port
from tests.integration.server import wait_for
from tests.unit.test_review import asked, log, reviewed  # noqa: F401 - a fixture

KEYS = {"shop": ("predict",), "other": ("predict",), "admin": ("admin",)}
QUIET = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking")
# WCAG 2.2, success criterion 1.4.3: text against what is behind it, by the relative luminance of both.
CONTRAST = """
const parts = text => text.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const behind = node => { for (; node; node = node.parentElement) {
  const found = parts(getComputedStyle(node).backgroundColor); if (found.length < 4 || found[3] > 0) return found; }
  return [255, 255, 255]; };
return [...document.querySelectorAll('body *')].filter(n => n.innerText && n.children.length === 0).map(n => {
  const [a, b] = [light(parts(getComputedStyle(n).color)), light(behind(n))].sort((x, y) => y - x);
  return [n.tagName + ' ' + n.innerText.slice(0, 30), (a + 0.05) / (b + 0.05)]; });
"""


@pytest.fixture
def key(home):
    """The API key of ann, a reviewer."""
    made, text = new_key("ann", ("predict",), "2026-01-01T00:00:00Z")
    folder = home / "use_cases" / "small" / "keys"
    folder.mkdir(parents=True)
    (folder / "keys.json").write_bytes(msgspec.json.encode(KeyFile([made])))
    put_person(Person(name="ann", keys=(made.id,), roles=("reviewer",)))
    return text


@pytest.fixture
def address(home, key, log, tmp_path):  # noqa: F811
    """Where the pages are, with one answer that waits."""
    content = reviewed(tmp_path).model_dump(mode="json", exclude_unset=True, by_alias=True)
    with (tmp_path / "small.yaml").open("w") as file:
        YAML(typ="safe").dump(content, file)
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    log.append([replace(asked(1, positive=0.55), time=moment, event_time=moment)])
    port = own_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "console.web", str(port)],
        cwd=PROJECT,
        env={**os.environ, "SLIPWAY_USE_CASES": str(tmp_path)},
    )
    try:
        wait_for(lambda: _answers(port), "the pages")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def _answers(port):
    try:
        return httpx.get(f"http://127.0.0.1:{port}/ready").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(params=["light", "dark"])
def browser(request):
    if shutil.which("chromium") is None or shutil.which("chromedriver") is None:
        pytest.skip("no Chromium with its driver is installed (Debian packages chromium and chromium-driver)")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for word in QUIET:
        options.add_argument(word)
    options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    scheme = {"features": [{"name": "prefers-color-scheme", "value": request.param}]}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", scheme)
    yield driver
    driver.quit()


def is_accessible(driver):
    """What of WCAG AA a machine can tell: language, one heading of the first level, names of all fields, contrast."""
    from selenium.webdriver.common.by import By

    assert driver.find_element(By.TAG_NAME, "html").get_attribute("lang") == "en"
    assert len(driver.find_elements(By.TAG_NAME, "h1")) == 1
    for field in driver.find_elements(By.CSS_SELECTOR, "input:not([type=hidden]), select, textarea, button, a"):
        assert field.accessible_name, field.get_attribute("outerHTML")
    for head in driver.find_elements(By.TAG_NAME, "th"):
        assert head.get_attribute("scope"), head.get_attribute("outerHTML")
    levels = [int(each.tag_name[1]) for each in driver.find_elements(By.CSS_SELECTOR, "h1, h2, h3, h4")]
    assert all(later - before <= 1 for before, later in itertools.pairwise(levels))
    found = driver.execute_script(CONTRAST)
    assert found
    assert not [each for each in found if each[1] < 4.5]


def reads(driver, css, text):
    """Wait until the page that comes next has this text there: a key that sends a form does not wait for it."""
    from selenium.common.exceptions import StaleElementReferenceException
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.wait import WebDriverWait

    waiting = WebDriverWait(driver, 60, ignored_exceptions=(StaleElementReferenceException,))
    waiting.until(lambda page: any(text in each.text for each in page.find_elements(By.CSS_SELECTOR, css)), text)
    is_accessible(driver)


def test_a_reviewer_signs_in_looks_and_overrides_by_keyboard_alone(address, key, browser):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.select import Select

    browser.get(f"{address}/review/small")
    reads(browser, "h1", "Sign in")
    browser.find_element(By.ID, "key").send_keys("slipway_nobody_wrong", Keys.ENTER)
    reads(browser, "[role=alert]", "is no key in use")
    browser.find_element(By.ID, "key").send_keys(key, Keys.ENTER)
    reads(browser, "h1", "small: 1 answer waits")
    browser.find_element(By.LINK_TEXT, "p001").send_keys(Keys.ENTER)
    reads(browser, "h1", "small: p001")
    browser.find_element(By.CSS_SELECTOR, "input[value='is no']").send_keys(Keys.SPACE)
    Select(browser.find_element(By.ID, "reason")).select_by_visible_text("new documents")
    browser.find_element(By.ID, "text").send_keys("she sent them")
    browser.find_element(By.XPATH, "//button[text()='Decide']").send_keys(Keys.ENTER)
    reads(browser, "[role=status]", "Kept: your decision on p001.")
    (decision,) = standing("small").decisions["p001"]
    assert (decision.by, decision.answer, decision.reason, decision.text) == ("ann", "no", "new documents", "she sent them")
    browser.find_element(By.XPATH, "//button[text()='Sign out']").send_keys(Keys.ENTER)
    reads(browser, "h1", "Sign in")
    browser.get(f"{address}/review/small")
    reads(browser, "h1", "Sign in")


def test_an_auditor_asks_why(address, key, browser):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    put_person(Person(name="ann", keys=(key_id_of(key),), roles=("auditor",)))
    browser.get(f"{address}/")
    reads(browser, "h1", "Sign in")
    browser.find_element(By.ID, "key").send_keys(key, Keys.ENTER)
    reads(browser, "label", "Why was an answer given?")
    browser.find_element(By.ID, "prediction_id").send_keys("p001", Keys.ENTER)
    reads(browser, "h1", "Why: p001 of small")
    browser.get(f"{address}/review/small/p001")
    reads(browser, "p", "It waits for a reviewer.")
    browser.find_element(By.PARTIAL_LINK_TEXT, "Why it was answered so").send_keys(Keys.ENTER)
    reads(browser, "h2", "Is it proven?")


def test_the_story_as_a_file(home, log, tmp_path, browser):  # noqa: F811
    log.append([asked(1, positive=0.55)])
    (tmp_path / "why.html").write_text(alone(asked_of("p001", "small")), encoding="utf-8")
    browser.get(f"file://{tmp_path}/why.html")
    reads(browser, "h1", "Why: p001 of small")


def test_a_program_asks_where_an_answer_stands(address, key, home, tmp_path):
    """The key of whoever asked the model; not another's, who only sees that there is nothing of theirs."""
    made = {name: new_key(name, roles, "2026-01-01T00:00:00Z") for name, roles in KEYS.items()}
    path = home / "use_cases" / "small" / "keys" / "keys.json"
    held = msgspec.json.decode(path.read_bytes(), type=KeyFile).keys
    path.write_bytes(msgspec.json.encode(KeyFile([*held, *(each for each, _ in made.values())])))

    def asks(name, prediction="p001", use_case="small"):
        text = key if name == "ann" else made[name][1] if name in made else name
        headers = {"Authorization": f"Bearer {text}"} if text else {}
        return httpx.get(f"{address}/decisions/{use_case}/{prediction}", headers=headers)

    wait_for(lambda: asks("shop").status_code == 200, "the keys")
    told = asks("shop").json()
    assert (told["state"], told["model_answer"], told["said"]) == ("waiting", "yes", 0)
    assert asks("other").status_code == 404, "of another caller's"
    assert asks("").status_code == 401
    assert asks("").headers["www-authenticate"] == "Bearer"
    assert asks("slipway_0_0").status_code == 401
    assert asks("shop", "p002").status_code == 404
    assert asks("shop", use_case="large").status_code == 404
    override(reviewed(tmp_path), "p001", "no", "new documents", "she called", key=key)
    final = asks("shop")
    told = final.json()
    assert (told["state"], told["how"], told["answer"], told["people"]) == ("final", "overridden", "no", ["ann"])
    assert final.headers["cache-control"] == "no-store"
    assert "she called" not in final.text
    assert [each["text"] for each in asks("ann").json()["decisions"]] == ["she called"], "who may read records"
    assert asks("admin").json() == told
