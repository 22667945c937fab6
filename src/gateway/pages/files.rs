//! The files of the pages. Made by `ui/build.mjs`; not to be edited.

super::embed! {
    "assets/console-EF5KJUU7.css";
    "assets/console-IBJWO7TO.js";
    "console.html";
    "icon.svg";
}
