//! The pages, as text. Every value is escaped: a field may hold what a user chose.

use html_escape::{encode_double_quoted_attribute as attribute, encode_text};
use sigv4_middleware::PresignedPost;

/// The page with the form. `accept` is what the browser offers to choose.
pub(crate) fn form(form: &PresignedPost, accept: &str) -> String {
    let fields: Vec<String> = form
        .fields()
        .map(|(name, value)| {
            format!("  <input type=\"hidden\" name=\"{}\" value=\"{}\">\n", attribute(name), attribute(value))
        })
        .collect();
    // The policy leaves the content type to the form: S3 does not take the type that a browser gives the file.
    // The file comes last: S3 ignores what comes after it.
    format!(
        r#"<!doctype html>
<title>Upload</title>
<h1>Upload</h1>
<form action="{}" method="post" enctype="multipart/form-data">
{}  <input type="hidden" name="Content-Type" value="application/octet-stream">
  <input type="file" name="file" accept="{}" required>
  <button>Upload</button>
</form>
<script>
  const form = document.forms[0]
  form.elements.file.onchange = (event) => {{
    form.elements["Content-Type"].value = event.target.files[0]?.type || "application/octet-stream"
  }}
</script>
"#,
        attribute(&form.url().to_string()),
        fields.concat(),
        attribute(accept),
    )
}

/// The page that S3 sends the browser to.
pub(crate) fn done(key: &str) -> String {
    format!(
        "<!doctype html>\n<title>Uploaded</title>\n<h1>Uploaded</h1>\n<p>{}\n<p><a href=\"/\">Another</a>\n",
        encode_text(key)
    )
}
