# SPDX-License-Identifier: BSD-3-Clause
# What Doxygen reads instead of a header or a page, line by line, so that the source stays as it reads
# best (docs/Doxyfile).

function name_of(path) {
  sub(/.*\//, "", path)
  sub(/\.[a-z]+$/, "", path)
  return path
}

# The anchor that GitHub gives to a heading.
function anchor_of(title) {
  title = tolower(title)
  gsub(/[^a-z0-9 _-]/, "", title)
  gsub(/ /, "-", title)
  return title
}

# What Doxygen calls a page, a heading of it, or a program.
function label_of(link,   file, anchor) {
  file = anchor = link
  sub(/#.*/, "", file)
  if (file ~ /\.cpp$/) { sub(/.*\//, "", file); return file }
  file = file == "" ? page : name_of(file)
  if (sub(/^[^#]*#/, "", anchor)) return file "-" anchor
  return file == "README" ? "index" : file
}

# Pages. Headings get their anchor, links to pages and programs go where these are in the site.
FILENAME ~ /\.md$/ {
  if (FNR == 1) page = name_of(FILENAME)
  if ($0 ~ /^```/) fenced = !fenced
  if (fenced || $0 ~ /^    /) { print; next }
  if ($0 ~ /^#/) gsub(/`/, "")
  if ($0 ~ /^# /) $0 = page == "README" ? "# Get started" : $0 " {#" page "}"
  if ($0 ~ /^##/) {
    title = $0
    sub(/^#+ */, "", title)
    $0 = $0 " {#" page "-" anchor_of(title) "}"
  }
  done = ""
  while (match($0, /\[[^][]+\]\(([^():#]+\.(md|cpp))?(#[^()]+)?\)/)) {
    split(substr($0, RSTART + 1, RLENGTH - 2), part, /\]\(/)
    gsub(/`/, "", part[1])
    done = done substr($0, 1, RSTART - 1) "[" part[1] "](@ref " label_of(part[2]) ")"
    $0 = substr($0, RSTART + RLENGTH)
  }
  $0 = done $0
  print
  next
}

# Programs, which Doxygen shows as they are.
FILENAME ~ /\.cpp$/ {
  if (FNR == 1) print "/// \\example " name_of(FILENAME) ".cpp"
  next
}
FILENAME !~ /\.hpp$/ { print; next }

# Headers. What is indented in a comment is an equation (by two spaces) or code (by four): set apart.
# What a folder declares is a group of the reference.
{
  text = $0
  comment = match(text, /^ *\/\/\/ */)
  indent = comment ? RLENGTH - index(text, "/") - 2 : 0
  empty = comment && RLENGTH == length(text)
  if (!comment || empty) list = 0
  else if (substr(text, RLENGTH + 1) ~ /^(-|[0-9]+\.) /) list = 1
  apart = comment && !empty && !list && indent > 2 && held ~ /^ *\/\/\//
  if (apart && !block) held = held " \\code{" (indent < 5 ? ".unparsed" : ".cpp") "}"
  if (!apart && block) held = held " \\endcode"
  block = apart
  if (FNR > 1) print held
  if (text ~ /^namespace dan(::[a-z_]+)* \{/) {
    folder = FILENAME
    sub(/.*include\/dan\//, "", folder)
    if (!sub(/\/.*/, "", folder)) folder = "contracts"
    text = text " /** \\addtogroup " folder
    opened = 1
  } else if (opened) {
    text = "@{ */ " text
    opened = 0
  }
  if (text ~ /^\}  \/\/ namespace dan/) text = "/** @} */ " text
  if (FNR == 1) text = "/// \\file"
  held = text
}
END { if (FILENAME ~ /\.hpp$/) print held }
