// Times as people read them: 24 hours, in the zone of this computer, which is named.

const DAY = { year: "numeric", month: "short", day: "numeric" };
const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };

const full = new Intl.DateTimeFormat([], { ...DAY, ...CLOCK, timeZoneName: "short" });
const zoned = new Intl.DateTimeFormat([], { timeZoneName: "short" });

// "26 Nov 2026, 14:03:09 GMT+1"
export const when = (time) => full.format(new Date(time));

// "GMT+1"; said once where many times stand without it.
export const zone = (time = Date.now()) => zoned.formatToParts(new Date(time)).find((part) => part.type === "timeZoneName").value;

// "14:03:09", or "14:03"
export function clock(time, seconds = true) {
  return new Date(time).toLocaleTimeString([], seconds ? CLOCK : { ...CLOCK, second: undefined });
}

// "26 Nov"
export const day = (time) => new Date(time).toLocaleDateString([], { month: "short", day: "numeric" });

// "42 s", "3 min", "2 h", "5 days"
export function age(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} days`;
}
