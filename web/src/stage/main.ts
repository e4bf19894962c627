import { open_page } from '../lib/open_page';
import Stage from './Stage.svelte';

open_page('stage', Stage);
