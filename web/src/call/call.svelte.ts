// Voice and video as a page sees them: who is at the table, one's own camera and microphone, and what
// to say when something does not work. The SDK keeps the connections.
import type { Role, Who } from '@footlight/client';
import {
  createMedia,
  type Devices,
  type FootlightMedia,
  gradeOf,
  type LinkGrade,
  type LinkQuality,
  openCamera,
  openScreen,
  type Place,
  type Publication,
  watchDevices,
} from '@footlight/client/media';
import { fromStore } from 'svelte/store';
import type { Show } from '../lib/show.svelte';
import { call_problem } from './words';

export interface Person {
  who: Who;
  name: string;
  role: Role;
  me: boolean;
  /** Of their camera; null when there is no picture to show. */
  video: MediaStreamTrack | null;
  video_mid: string;
  /** Whether they have joined with a microphone or a camera. */
  joined: boolean;
  silent: boolean;
  speaking: boolean;
  link: LinkQuality | null;
}
export interface Screen {
  who: Who;
  name: string;
  me: boolean;
  track: MediaStreamTrack;
}

const kAudible = 45;
const kShelf = 'footlight.devices';
const kOrder: Record<Role, number> = { gm: 0, producer: 1, player: 2, viewer: 3 };

export class Call {
  readonly media: FootlightMedia;
  readonly show: Show;
  /** `asking`: the browser asks the person. */
  joining = $state<'out' | 'asking' | 'in'>('out');
  camera = $state.raw<Publication | null>(null);
  screen = $state.raw<Publication | null>(null);
  muted = $state(false);
  camera_on = $state(false);
  /** The browser plays no sound before a click. */
  blocked = $state(false);
  trouble = $state('');
  microphone_id = $state('');
  camera_id = $state('');
  #own_video = $state.raw<MediaStreamTrack | null>(null);
  #own_screen = $state.raw<MediaStreamTrack | null>(null);
  #places;
  #speaking;
  #links;
  #recording;
  #quality;
  #watching;
  #devices;
  #players = new Set<() => Promise<void>>();

  constructor(show: Show) {
    this.show = show;
    this.media = createMedia(show.client);
    this.#places = fromStore(this.media.places);
    this.#speaking = fromStore(this.media.speaking);
    this.#links = fromStore(this.media.links);
    this.#recording = fromStore(this.media.recording);
    this.#quality = fromStore(this.media.quality);
    this.#watching = fromStore(this.media.watching);
    this.#devices = fromStore(watchDevices());
    const [microphone = '', camera = ''] = (localStorage.getItem(kShelf) ?? '').split(' ');
    this.microphone_id = microphone;
    this.camera_id = camera;
    this.media.on('ended', ({ of, problem }) => {
      this.trouble = call_problem(problem);
      if (of === this.camera) this.#left();
      if (of === this.screen) this.#screen_ended();
    });
    this.media.on('refused', ({ problem }) => {
      this.trouble = `Others hear you and do not see you: ${call_problem(problem)}`;
    });
    this.media.on('shown', (place) => this.#say(place, 'is heard', 'is seen', 'shares a screen'));
    this.media.on('gone', (place) => this.#say(place, '', 'is no longer seen', 'shares no screen'));
    this.media.watch({ audio: 10, video: 10 });
  }

  get places(): readonly Place[] {
    return this.#places.current;
  }
  get devices(): Devices {
    return this.#devices.current;
  }
  /** Everything that is said and shown is being recorded. */
  get recording(): boolean {
    return this.#recording.current;
  }
  get quality() {
    return this.#quality.current;
  }
  get watching(): boolean {
    return this.#watching.current !== null;
  }
  get voices(): Place[] {
    return this.places.filter((one) => one.kind === 'audio');
  }
  get grade(): LinkGrade | null {
    return this.quality ? gradeOf(this.quality) : null;
  }

  /** Everybody of the cast who is here, and whoever is seen or heard: the game master first. */
  get people(): Person[] {
    const { session } = this.show;
    const people = new Map<Who, Person>();
    const add = (who: Who, name: string, role: Role): Person => {
      const known = people.get(who);
      if (known) return known;
      const me = who === session?.who;
      const link = me ? this.quality : (this.#links.current.get(who) ?? null);
      const speaking = this.#speaking.current.some((it) => it.who === who && it.level >= kAudible);
      const nothing = { video: null, video_mid: '', joined: false, silent: true };
      const made = { who, name, role, me, speaking, link, ...nothing };
      people.set(who, made);
      return made;
    };
    for (const [who, member] of this.show.all('cast')) {
      if (member.online) add(who, member.name, member.role);
    }
    for (const place of this.places) {
      const person = add(place.who, place.name, place.role);
      if (place.label === 'screen') continue;
      person.joined = true;
      if (place.kind === 'audio') person.silent = place.muted;
      else if (!place.muted) {
        person.video = place.track;
        person.video_mid = place.mid;
      }
    }
    if (session && this.joining === 'in') {
      const me = add(session.who, session.name, session.role);
      me.joined = true;
      me.silent = this.muted;
      me.video = this.camera_on ? this.#own_video : null;
    }
    return [...people.values()].sort(
      (a, b) => kOrder[a.role] - kOrder[b.role] || a.name.localeCompare(b.name),
    );
  }

  get screens(): Screen[] {
    const theirs = this.places
      .filter((one) => one.label === 'screen' && one.kind === 'video' && !one.muted)
      .map(({ who, name, track }) => ({ who, name, me: false, track }));
    const { session } = this.show;
    if (!session || !this.#own_screen) return theirs;
    const mine = { who: session.who, name: session.name, me: true, track: this.#own_screen };
    return [...theirs, mine];
  }

  /** Asks for the devices and joins. Without a camera one is heard all the same. */
  async join(with_camera: boolean): Promise<void> {
    this.trouble = '';
    this.joining = 'asking';
    void this.play();
    try {
      const tracks = await openCamera({
        microphone: this.microphone_id || true,
        camera: with_camera && (this.camera_id || true),
      });
      this.camera = this.media.publish(tracks);
      this.joining = 'in';
      this.muted = false;
      this.#use_video(tracks.video);
      this.#follow(tracks.audio, 'audio');
      this.show.announce(with_camera ? 'You are seen and heard.' : 'You are heard.');
    } catch (error) {
      this.joining = 'out';
      this.trouble = call_problem(error);
    }
  }

  leave(): void {
    this.camera?.end();
    this.screen?.end();
    this.#left();
    this.#screen_ended();
    this.show.announce('You have left the call. You still hear the others.');
  }

  mute(on: boolean): void {
    this.muted = on;
    this.camera?.mute('audio', on);
    this.show.announce(on ? 'Microphone off.' : 'Microphone on.');
  }

  /** Off means off: the device is let go, its lamp goes out. */
  async turn_camera(on: boolean): Promise<void> {
    this.trouble = '';
    if (!on) {
      this.#own_video?.stop();
      this.camera?.replace('video', null);
      this.#use_video(null);
      return;
    }
    try {
      const { video } = await openCamera({ microphone: false, camera: this.camera_id || true });
      this.camera?.replace('video', video);
      this.#use_video(video);
    } catch (error) {
      this.trouble = call_problem(error);
    }
  }

  async choose(kind: 'microphone' | 'camera', id: string): Promise<void> {
    if (kind === 'microphone') this.microphone_id = id;
    else this.camera_id = id;
    localStorage.setItem(kShelf, `${this.microphone_id} ${this.camera_id}`);
    if (this.joining !== 'in') return;
    if (kind === 'camera') {
      if (!this.camera_on) return;
      await this.turn_camera(false);
      return this.turn_camera(true);
    }
    try {
      const { audio } = await openCamera({ microphone: id || true, camera: false });
      this.camera?.tracks.get().audio?.stop();
      this.camera?.replace('audio', audio);
      this.#follow(audio, 'audio');
    } catch (error) {
      this.trouble = call_problem(error);
    }
  }

  async share_screen(on: boolean): Promise<void> {
    if (!on) {
      this.screen?.end();
      this.#screen_ended();
      return;
    }
    this.trouble = '';
    try {
      const { audio, video } = await openScreen();
      this.screen = this.media.publish({ label: 'screen', video, ...(audio && { audio }) });
      this.#own_screen = video;
      video?.addEventListener('ended', () => void this.share_screen(false));
    } catch (error) {
      this.trouble = call_problem(error);
    }
  }

  /** Registers what plays a voice; returns what ends that. */
  add_player(play: () => Promise<void>): () => void {
    this.#players.add(play);
    void this.#try(play);
    return () => this.#players.delete(play);
  }
  /** After a click the browser lets sound out. */
  async play(): Promise<void> {
    this.blocked = false;
    await Promise.all([...this.#players].map((play) => this.#try(play)));
  }
  watch_again(): void {
    this.trouble = '';
    this.media.watch({ audio: 10, video: 10 });
  }

  async #try(play: () => Promise<void>): Promise<void> {
    try {
      await play();
    } catch (error) {
      // Others come of a voice that is gone before it was played.
      if (error instanceof DOMException && error.name === 'NotAllowedError') this.blocked = true;
    }
  }

  #use_video(track: MediaStreamTrack | null): void {
    this.#own_video = track;
    this.camera_on = track !== null;
    this.#follow(track, 'video');
  }

  /** A device that is pulled out. */
  #follow(track: MediaStreamTrack | null, kind: 'audio' | 'video'): void {
    track?.addEventListener('ended', () => {
      if (this.camera?.tracks.get()[kind] !== track) return;
      this.camera.replace(kind, null);
      if (kind === 'video') this.#use_video(null);
      else this.muted = true;
      this.trouble =
        kind === 'video' ? 'The camera was unplugged.' : 'The microphone was unplugged.';
    });
  }

  #left(): void {
    const { audio, video } = this.camera?.tracks.get() ?? {};
    audio?.stop();
    video?.stop();
    this.camera = null;
    this.joining = 'out';
    this.muted = false;
    this.#use_video(null);
  }

  #screen_ended(): void {
    const { audio, video } = this.screen?.tracks.get() ?? {};
    audio?.stop();
    video?.stop();
    this.screen = null;
    this.#own_screen = null;
  }

  #say(place: Place, audio: string, video: string, screen: string): void {
    const words = place.label === 'screen' ? screen : place.kind === 'audio' ? audio : video;
    if (words && !(place.label === 'screen' && place.kind === 'audio')) {
      this.show.announce(`${place.name} ${words}.`);
    }
  }
}
