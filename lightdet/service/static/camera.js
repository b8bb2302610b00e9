// The camera of this computer: looked at when told to, or again and again.

import { $, make } from "./dom.js";
import { say } from "./viewer.js";

const state = { stream: null, timer: null, busy: false, look: null };

export function isOn() {
  return state.stream !== null;
}

// `look(blob)` inspects a picture and returns a promise.
export function setUp(look) {
  state.look = look;
  $("camera").addEventListener("click", toggle);
  $("capture").addEventListener("click", capture);
  $("device").addEventListener("change", () => start($("device").value));
  $("every").addEventListener("change", schedule);
}

export async function toggle() {
  if (isOn()) stop();
  else await start(null);
}

async function start(device) {
  if (!navigator.mediaDevices?.getUserMedia) {
    say("The browser gives the camera only to pages from this computer or over HTTPS (start the service with --tls-cert).");
    return;
  }
  stop();
  const video = device ? { deviceId: { exact: device } } : { facingMode: "environment" };
  try {
    state.stream = await navigator.mediaDevices.getUserMedia({ video: { ...video, width: { ideal: 1920 }, height: { ideal: 1080 } } });
  } catch (error) {
    say(`The camera cannot be used: ${error.name === "NotAllowedError" ? "it is not allowed in this browser" : error.message}`);
    return;
  }
  say(null);
  $("video").srcObject = state.stream;
  await $("video").play();
  state.stream.getVideoTracks()[0].addEventListener("ended", stop);
  $("camera-panel").hidden = false;
  $("camera").setAttribute("aria-pressed", "true");
  $("capture").focus(); // so that Space looks, and does not press the camera's button again
  await listDevices();
  schedule();
}

async function listDevices() {
  const current = state.stream?.getVideoTracks()[0].getSettings().deviceId;
  const cameras = (await navigator.mediaDevices.enumerateDevices()).filter((each) => each.kind === "videoinput");
  $("device").replaceChildren(...cameras.map((each, i) => make("option", { value: each.deviceId, selected: each.deviceId === current }, each.label || `Camera ${i + 1}`)));
}

function stop() {
  clearTimeout(state.timer);
  state.stream?.getTracks().forEach((track) => track.stop());
  state.stream = null;
  $("video").srcObject = null;
  $("camera-panel").hidden = true;
  $("camera").setAttribute("aria-pressed", "false");
}

function schedule() {
  clearTimeout(state.timer);
  const every = Number($("every").value);
  if (!every || !isOn()) return;
  const began = performance.now();
  capture().finally(() => {
    // As often as was asked for, or as the service keeps up: never a second picture before the first is answered.
    state.timer = setTimeout(schedule, Math.max(50, every - (performance.now() - began)));
  });
}

export async function capture() {
  const video = $("video");
  if (!isOn() || state.busy || !video.videoWidth) return;
  state.busy = true;
  try {
    const canvas = make("canvas", { width: video.videoWidth, height: video.videoHeight });
    canvas.getContext("2d").drawImage(video, 0, 0);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.95));
    await state.look(blob);
  } finally {
    state.busy = false;
  }
}
