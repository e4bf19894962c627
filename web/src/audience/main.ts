import { open_page } from '../lib/open_page';
import Audience from './Audience.svelte';

open_page('audience', Audience);
