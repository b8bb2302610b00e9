// Alarms: told in words on every open page, and by a sound where that was asked for.

import { $, make } from "./dom.js";
import { clock } from "./times.js";

let audio = null;

// `alarm`: {alarm, state: "on" or "off", time, text, model}
export function ring(alarm) {
  const mine = `${alarm.alarm} ${alarm.model ?? ""}`;
  [...$("alarms").children].find((each) => each.dataset.alarm === mine)?.remove();
  if (alarm.state === "off") return hideEmpty();
  const button = make("button", { type: "button", class: "small", onclick: () => { item.remove(); hideEmpty(); } }, "Seen");
  const item = make("li", { "data-alarm": mine }, make("span", {}, `Alarm, ${clock(alarm.time)}: ${alarm.text}`), button);
  $("alarms").append(item);
  hideEmpty();
  beep();
}

function hideEmpty() {
  $("alarms").hidden = !$("alarms").children.length;
}

// Three tones; made here, so that no file is needed.
function beep() {
  if (!audio) return;
  $("sound").dataset.rung = Number($("sound").dataset.rung ?? 0) + 1;
  for (const [i, tone] of [880, 660, 880].entries()) {
    const source = audio.createOscillator();
    const volume = audio.createGain();
    const begin = audio.currentTime + i * 0.35;
    source.frequency.value = tone;
    volume.gain.setValueAtTime(0.25, begin);
    volume.gain.linearRampToValueAtTime(0, begin + 0.3);
    source.connect(volume).connect(audio.destination);
    source.start(begin);
    source.stop(begin + 0.3);
  }
}

// A browser lets a page sound only after a click, which this is; it sounds once, to be heard.
$("sound").addEventListener("change", () => {
  audio?.close();
  audio = $("sound").checked ? new AudioContext() : null;
  beep();
});
