/** The plugin of Analytics.js with the whole language. */

import "./language";
import "./segment";
