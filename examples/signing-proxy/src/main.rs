//! A reverse proxy that signs every request, for programs that cannot sign requests themselves.

fn main() -> std::process::ExitCode {
    signing_proxy::cli::main()
}
