// One port for each suite, from E2E_PORT on.
const first = Number(process.env.E2E_PORT ?? 18150);

export const ports = {
  screens: first,
  pages: first + 1,
  show: first + 2,
  pictures: first + 3,
  boards: first + 4,
  cable: first + 5,
  table: first + 6,
  media: first + 7,
  stage: first + 8,
  stage_cable: first + 9,
  channel: first + 10,
  relay: first + 11,
  turn: first + 12,
  doctor: first + 13,
  doctor_turn: first + 14,
  recording: first + 15,
  peers: first + 16,
  program: first + 20,
  program_cable: first + 21,
  hls: first + 17,
  tcp: first + 18,
  push: first + 22,
  bucket: first + 23,
  vod: first + 24,
};
