import { GALLERY } from './damages.js';
import { exhibit } from './exhibit.js';

exhibit(GALLERY[1]);
