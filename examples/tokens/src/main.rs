//! Prints a token that an AWS service takes as a password. `tokens --help` lists the services.

use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use clap::error::ErrorKind as UsageErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use sigv4_middleware::{BoxError, BuildErrorKind, ErrorKind, Signer};

const EXPORT_CREDENTIALS: &str = "export AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, with a role's credentials, \
     AWS_SESSION_TOKEN;\n  those of a profile of the AWS CLI: eval \"$(aws configure export-credentials --format env)\"";

#[derive(Parser)]
#[command(about = "Print a token that an AWS service takes as a password")]
#[command(
    after_help = "The credentials are those of AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.\n\
    Standard output has the token and nothing else: PGPASSWORD=\"$(tokens rds …)\" psql …"
)]
struct Arguments {
    /// The region, if it is not in the host's name and not AWS_REGION
    #[arg(long, global = true, value_name = "NAME")]
    region: Option<String>,
    /// Say nothing on standard error but errors
    #[arg(short, long, global = true)]
    quiet: bool,
    #[command(subcommand)]
    service: Service,
}

#[derive(Subcommand)]
enum Service {
    /// RDS and Aurora, directly or through RDS Proxy (permission: rds-db:connect)
    Rds {
        /// The endpoint of the instance, cluster or proxy
        #[arg(long)]
        host: String,
        /// The port that the database listens at, which the token is for: MySQL's is 3306
        #[arg(long, default_value_t = 5432)]
        port: u16,
        /// The database user
        #[arg(long)]
        user: String,
    },
    /// Aurora DSQL (permission: dsql:DbConnect, or dsql:DbConnectAdmin)
    Dsql {
        /// The endpoint of the cluster
        #[arg(long)]
        host: String,
        /// Log in as the user admin
        #[arg(long)]
        admin: bool,
    },
    /// ElastiCache for Valkey and Redis OSS (permission: elasticache:Connect)
    Elasticache {
        /// The name of the cache, not its endpoint
        #[arg(long)]
        cache: String,
        #[arg(long)]
        user: String,
        /// The cache is a serverless one
        #[arg(long)]
        serverless: bool,
    },
    /// MemoryDB (permission: memorydb:Connect)
    Memorydb {
        /// The name of the cluster, not its endpoint
        #[arg(long)]
        cluster: String,
        #[arg(long)]
        user: String,
    },
    /// EKS, for kubectl (permission: an access entry of the cluster)
    Eks {
        /// The name of the cluster
        #[arg(long)]
        cluster: String,
        /// Print the ExecCredential that kubectl reads
        #[arg(long)]
        exec_credential: bool,
    },
    /// MSK with IAM access control, by OAUTHBEARER (permission: kafka-cluster:Connect)
    Msk,
    /// HashiCorp Vault's AWS auth method: the body of a login (permission: a role of Vault)
    Vault {
        /// The role of Vault to log in to
        #[arg(long)]
        role: String,
        /// What Vault asks for in X-Vault-AWS-IAM-Server-ID
        #[arg(long)]
        server_id: Option<String>,
    },
}

impl Arguments {
    /// What no host or URL can be made of.
    fn invalid(&self) -> Option<BoxError> {
        let host = match &self.service {
            Service::Rds { host, .. } | Service::Dsql { host, .. } => Some(("--host", host)),
            Service::Elasticache { cache, .. } => Some(("--cache", cache)),
            Service::Memorydb { cluster, .. } => Some(("--cluster", cluster)),
            Service::Eks { .. } | Service::Msk | Service::Vault { .. } => None,
        };
        let region = self.region.as_ref().map(|region| ("--region", region));
        let is_name = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        };
        let (option, value) = [host, region].into_iter().flatten().find(|(_, value)| !is_name(value))?;
        Some(format!("{option} is a name, without scheme, port or path; got {value:?}").into())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let token = match arguments.invalid() {
        Some(why) => Err(why),
        None => token(&arguments).await,
    };
    match token {
        Ok(token) => {
            let (what, next) = explained(&arguments.service);
            if !arguments.quiet {
                eprintln!("{what}");
            }
            println!("{token}");
            if !arguments.quiet {
                eprintln!("Next: {next}");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            let (message, code) = failure(error.as_ref());
            eprintln!("error: {message}");
            ExitCode::from(code)
        }
    }
}

async fn token(arguments: &Arguments) -> Result<String, BoxError> {
    let signer = || {
        let signer = Signer::builder().credentials_from_env();
        match &arguments.region {
            Some(region) => signer.region(region.clone()),
            None => signer,
        }
    };
    let region = || region(arguments.region.as_deref());
    match &arguments.service {
        Service::Rds { host, port, user } => tokens::rds(signer(), host, *port, user).await,
        Service::Dsql { host, admin } => tokens::dsql(signer(), host, *admin).await,
        Service::Elasticache { cache, user, serverless } => {
            tokens::elasticache(signer(), cache, user, *serverless).await
        }
        Service::Memorydb { cluster, user } => tokens::memorydb(signer(), cluster, user).await,
        Service::Eks { cluster, exec_credential } => {
            let token = tokens::eks(signer(), &region()?, cluster).await?;
            // As `aws eks get-token`: a minute less than the cluster takes the token for.
            let expiry = SystemTime::now() + Duration::from_secs(14 * 60);
            Ok(if *exec_credential { tokens::exec_credential(&token, expiry)?.to_string() } else { token })
        }
        Service::Msk => {
            let client = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));
            tokens::msk(signer(), &region()?, client).await
        }
        Service::Vault { role, server_id } => {
            let login = tokens::vault(signer(), &region()?, role, server_id.as_deref()).await?;
            Ok(login.to_string())
        }
    }
}

/// The region, where a host's name is made of it.
fn region(option: Option<&str>) -> Result<String, clap::Error> {
    let of_environment = ["AWS_REGION", "AWS_DEFAULT_REGION"]
        .map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    option.map(str::to_owned).or(of_environment.into_iter().flatten().next()).ok_or_else(|| {
        Arguments::command().error(
            UsageErrorKind::MissingRequiredArgument,
            "which region? Give --region NAME, or set AWS_REGION",
        )
    })
}

/// What a token is, and what to do with it.
fn explained(service: &Service) -> (String, String) {
    match service {
        Service::Rds { host, port, user } => (
            format!("The password of the database user {user} on {host}, good for 15 minutes:"),
            {
                let postgres = format!(
                    "PGPASSWORD=\"$(tokens -q rds …)\" psql \
                     \"host={host} port={port} user={user} dbname=… sslmode=verify-full\""
                );
                let mysql = format!(
                    "mysql --host={host} --port={port} --user={user} --enable-cleartext-plugin \
                     --password=\"$(tokens -q rds …)\""
                );
                let connect = "connect over TLS, with it as the password:\n ";
                match port {
                    5432 => format!("{connect} PostgreSQL: {postgres}\n  MySQL: needs a token for its own port: --port 3306"),
                    3306 => format!("{connect} MySQL: {mysql}"),
                    _ => format!("{connect} PostgreSQL: {postgres}\n  MySQL: {mysql}"),
                }
            },
        ),
        Service::Dsql { host, admin } => {
            let user = if *admin { "admin" } else { "the user that is mapped to your role" };
            (
                format!("The password of {user} on {host}, good for 15 minutes:"),
                format!(
                    "PGPASSWORD=\"$(tokens -q dsql …)\" psql \"host={host} user=… dbname=postgres sslmode=verify-full\""
                ),
            )
        }
        Service::Elasticache { cache: name, user, .. } | Service::Memorydb { cluster: name, user } => (
            format!("The password of the user {user} of {name}, good for 15 minutes:"),
            format!("connect over TLS and send AUTH {user} TOKEN, as your client does with a user name and a password"),
        ),
        Service::Eks { cluster, exec_credential } => (
            format!("The bearer token of the EKS cluster {cluster}, good for 15 minutes:"),
            if *exec_credential {
                "name this program in kubeconfig, under users: user: exec: (README.md shows how)".into()
            } else {
                "kubectl --token=\"$(tokens -q eks …)\" get nodes".into()
            },
        ),
        Service::Msk => (
            "The OAUTHBEARER token of MSK clusters with IAM access control, good for 15 minutes:".into(),
            "connect to port 9098, with SASL_SSL and OAUTHBEARER; have your client's token callback make a new one".into(),
        ),
        Service::Vault { .. } => (
            "The body of a login to Vault's AWS auth method, good for 15 minutes:".into(),
            "tokens -q vault … | curl --data @- \"$VAULT_ADDR/v1/auth/aws/login\"".into(),
        ),
    }
}

/// What to say of an error, and the exit code: 2 if other arguments would help.
fn failure(error: &(dyn Error + 'static)) -> (String, u8) {
    if let Some(error) = error.downcast_ref::<clap::Error>() {
        return (error.to_string().trim_start_matches("error: ").trim_end().to_owned(), 2);
    }
    if let Some(error) = error.downcast_ref::<sigv4_middleware::BuildError>() {
        return match error.kind() {
            BuildErrorKind::MissingCredentials => {
                (format!("there are no credentials\n  {EXPORT_CREDENTIALS}"), 1)
            }
            _ => (error.to_string(), 2),
        };
    }
    match error.downcast_ref::<sigv4_middleware::Error>() {
        Some(error) if error.is_credentials() => (format!("{error}\n  {EXPORT_CREDENTIALS}"), 1),
        Some(error) if error.kind() == ErrorKind::ScopeUnknown => {
            ("which region? Give --region NAME, or set AWS_REGION".to_owned(), 2)
        }
        // Arguments that no URL or header can be made of, for one.
        _ => (error.to_string(), 2),
    }
}
